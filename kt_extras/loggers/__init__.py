"""Loggers of searches: one run of an experiment tracker for each trial, below one for the search.

>>> import kt_extras as kte
>>> class Printed(kte.loggers.TrialLogger):
...     def log_trial(self, trial):
...         print(trial.trial_id, trial.state, trial.score)

Passed to `search` among the callbacks, a logger is told what happens in all processes.
"""

from kt_extras.loggers.mlflow_logger import MLflow
from kt_extras.loggers.trial_logger import SearchInfo, TrialLogger
from kt_extras.loggers.wandb_logger import Wandb

__all__ = ["MLflow", "SearchInfo", "TrialLogger", "Wandb"]
