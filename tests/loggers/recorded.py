"""A logger for tests."""

from kt_extras.loggers import TrialLogger


class Recorded(TrialLogger):
    """Keeps what it is told."""

    def __init__(self, errors=0):
        super().__init__()
        self.told, self.errors = [], errors

    def begin_search(self, search):
        self.told.append(("begin", search))

    def log_trial(self, trial):
        if self.errors:
            self.errors -= 1
            raise ConnectionError("no tracker")
        self.told.append((trial.trial_id, trial.state, trial.epochs))

    def end_search(self, *, finished, weights):
        self.told.append(("end", finished, sorted(weights)))
