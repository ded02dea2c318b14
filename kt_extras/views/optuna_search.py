"""A study of Optuna, looked at like a search of kt_extras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kt_extras.analysis.optuna_study import check_study, data_of_study
from kt_extras.analysis.search_data import SearchData
from kt_extras.views.search_views import SearchViews

if TYPE_CHECKING:
    import optuna


def from_optuna(study: optuna.Study) -> OptunaSearch:
    """Return a study of Optuna with the tables, pictures and importances of kt_extras.

    Nothing is written.  A parameter that only some trials have becomes a hyperparameter with a
    condition if another one tells which they are.  The objective of a study without metric names is
    called `value`.

    Args:
        study: An `optuna.Study`.

    Raises:
        TypeError: It is not one.

    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=5)
    >>> from_optuna(study).best_trial.score == study.best_value
    True
    """
    check_study(study)
    return OptunaSearch(study)


class OptunaSearch(SearchViews):
    """A study of Optuna, as `kt_extras.from_optuna` returns it; it may go on.

    Args:
        study: The study.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def __repr__(self) -> str:
        return f"<OptunaSearch of {self._study.study_name!r}>"

    def search_data(self) -> SearchData:
        """Return the study as it is now, as plain data."""
        return data_of_study(self._study)
