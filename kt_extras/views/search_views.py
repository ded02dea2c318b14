"""The methods with which a user looks at a search, the same for all that hold one."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from kt_extras.analysis.best_trials import best_first, pareto_front
from kt_extras.analysis.executions import cv_results
from kt_extras.analysis.search_data import (
    EvaluationData,
    RepeatData,
    SearchData,
    Target,
    TrialData,
)
from kt_extras.analysis.tables import columns_of, frame_of, rows_of, write_csv, write_parquet
from kt_extras.arguments import check_flag, check_integer
from kt_extras.search import Point

if TYPE_CHECKING:
    import pandas

    from kt_extras.analysis.importance import Method


class SearchViews:
    """What can be asked of a search: a tuner, a `kt_extras.Study`, or what was loaded.

    All of it is made from `search_data`, which shows the search as it is at the time of the call.
    """

    @abstractmethod
    def search_data(self) -> SearchData:
        """Return the search as plain data."""

    @property
    def objectives(self) -> tuple[Target, ...]:
        """What is searched for; each has a `name` and a `direction`, `"min"` or `"max"`."""
        return self.search_data().objectives

    @property
    def trials(self) -> tuple[TrialData, ...]:
        """All trials, in the order in which they began."""
        return self.search_data().trials

    @property
    def best_trial(self) -> TrialData | None:
        """The best trial, of several objectives a knee of the front; None if none has a score."""
        return next(iter(best_first(self.search_data())), None)

    @property
    def evaluations(self) -> tuple[EvaluationData, ...]:
        """What `evaluate_once` has measured on test sets, oldest first."""
        return self.search_data().evaluations

    @property
    def repeats(self) -> tuple[RepeatData, ...]:
        """The trainings with other seeds that `confirm` has made, oldest first."""
        return self.search_data().repeats

    def best_values(self, num_trials: int = 1) -> list[Point]:
        """Return the values of the hyperparameters of the best trials, as in their best epochs.

        Args:
            num_trials: How many, best first; fewer if there are not as many with a score.
                Defaults to 1.
        """
        check_integer("num_trials", num_trials, minimum=0)
        return [dict(trial.values) for trial in best_first(self.search_data())[:num_trials]]

    def pareto_front(self) -> list[TrialData]:
        """Return the trials that no other one dominates, by the value of the first objective.

        Those that violate constraints are left out, unless all do.  With one objective it is the
        best trial, and each one that is as good.
        """
        return pareto_front(self.search_data())

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of `results`."""
        return rows_of(self.search_data())

    @overload
    def results(self, *, frame: Literal[False] = False) -> list[dict[str, Any]]: ...

    @overload
    def results(self, *, frame: Literal[True]) -> pandas.DataFrame: ...

    def results(self, *, frame: bool = False) -> list[dict[str, Any]] | pandas.DataFrame:
        """Return one row a trial.

        Args:
            frame: Whether to return a `pandas.DataFrame`.  Defaults to False: a list of
                dictionaries.

        Returns:
            Rows with `number`, `trial_id`, `state` (`"completed"`, `"pruned"`, `"infeasible"`,
            `"failed"`, `"rejected"`, `"paused"`, `"running"` or `"waiting"`), `score`,
            `best_epoch` (counted from 0; None if no epoch was reported), `epochs` (trained, over
            all executions), `seconds`, `message`, each active hyperparameter under its own name, as
            it was in the best epoch, and each metric of that epoch under its own name, as a mean
            over the executions.  A name that is taken gets `values.` or `metrics.` before it.  With
            several objectives each of them has a column, and with constraints there is
            `violation`, which is 0 for a trial that meets them.

        Raises:
            ModuleNotFoundError: `frame` is True, and pandas is not installed.
        """
        check_flag("frame", frame)
        rows = self._rows()
        return frame_of(rows, "`frame=True`") if frame else rows

    def cv_results(self) -> dict[str, Any]:
        """Return the completed trials in columns, named as scikit-learn names them.

        Returns:
            As `cv_results_` of `sklearn.model_selection.GridSearchCV`: `params`, a masked array
            `param_<name>` a hyperparameter, `split<k>_test_score` a fold or execution,
            `mean_test_score`, `std_test_score`, `rank_test_score` (from 1) and `mean_fit_time` in
            seconds a fold.  As there, a higher score is better: an objective that is minimised has
            its sign changed.
        """
        return cv_results(self.search_data())

    def history(self, trial_id: str | int) -> dict[str, list[Any]]:
        """Return the metrics of every epoch of a trial, ready for `pandas.DataFrame`.

        Args:
            trial_id: Its id, or its number.

        Returns:
            Columns `execution`, `epoch` (both counted from 0) and one a metric, NaN where it was
            not measured.

        Raises:
            KeyError: There is no such trial.
        """
        return columns_of(self.search_data().trial(trial_id))

    def importance(
        self,
        objective: str | None = None,
        method: Method = "ped_anova",
        quantile: float = 0.1,
        seed: int = 0,
    ) -> dict[str, float]:
        """Return how much each hyperparameter matters, as fractions of 1, the most important first.

        Args:
            objective: Name of an objective, to look at it alone.  Defaults to None: all, by
                dominance or by their weighted sum as in the search.
            method: `"ped_anova"`: what the best trials have in common; `"fanova"`: what changes the
                rank of a trial on average.  Defaults to `"ped_anova"`.
            quantile: Fraction of the trials that counts as the best in PED-ANOVA, in (0, 1).
                Defaults to 0.1.
            seed: Seed of the forest of fANOVA, from 0.  Defaults to 0.

        Raises:
            ValueError: An argument is out of its range.
        """
        from kt_extras.analysis.importance import importance  # which takes a second to load

        return importance(self.search_data(), objective, method, quantile, seed)

    def advice(self) -> list[str]:
        """Return what the trials suggest for the next search: what to widen, narrow or fix.

        Returns:
            Sentences, each with its numbers; none if there are fewer than 20 trials that have
            ended, or if nothing can be told.
        """
        from kt_extras.analysis.advice import advice

        return advice(self.search_data())

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write what was searched and found to one page of HTML, which may be sent to others.

        Args:
            path: The file, which is replaced; its directory is made if it is not there.

        Returns:
            The path of the file.

        Raises:
            ModuleNotFoundError: Matplotlib is not installed.
        """
        from kt_extras.report import report

        return report(self, path)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from kt_extras.report import search_html

        return search_html(self.search_data())

    def to_optuna(self, storage: Any = None, study_name: str | None = None) -> Any:
        """Return the search as a study of Optuna, for its plots, its importances and its dashboard.

        Args:
            storage: URL of a database, such as `sqlite:///study.db`, or a storage of Optuna, in
                which the study is kept; a later call adds what is new.  Defaults to None: in
                memory.
            study_name: Defaults to None: the name of the project.

        Returns:
            An `optuna.Study`.

        Raises:
            ImportError: Optuna is not installed.
            ValueError: The storage has another study of that name, or cannot be opened.
        """
        from kt_extras.analysis.optuna_export import to_optuna

        return to_optuna(self.search_data(), storage, study_name)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows of `results` to a file, with a first line of names.

        Args:
            path: The file, which is replaced.
        """
        write_csv(self._rows(), path)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the rows of `results` to a file of Parquet.

        A column whose values are of several types is written as texts.

        Args:
            path: The file, which is replaced.

        Raises:
            ModuleNotFoundError: Pandas, or both pyarrow and fastparquet, are not installed.
        """
        write_parquet(self._rows(), path)
