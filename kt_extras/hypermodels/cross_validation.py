"""Cross-validation: which rows each execution of a trial trains and validates on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kt_extras.arguments import check_integer, is_integer
from kt_extras.arrays import IntArray
from kt_extras.hypermodels.training_space import FIT_ARGUMENTS, by_name
from kt_extras.search.folds import FoldPruner

_ROWS = ("x", "y", "sample_weight")
_VALIDATION = ("validation_data", "validation_split")


class CrossValidation:
    """Trains the model of each trial once a fold; the score is the mean over the folds.

    A tuner takes it as `cross_validation`.  Each fold is an execution of the trial with a curve of
    its own, validated on the fold; `search` gets all rows, without validation data.  The pruner of
    the search compares trials within their first folds, and between two folds a trial is stopped
    whose folds are worse than those of the best trial.  Not for tuners with a scheduler, such as
    `ASHA`.

    Args:
        splitter: A splitter of scikit-learn, such as ``StratifiedKFold(5, shuffle=True,
            random_state=0)``, `GroupKFold` or `TimeSeriesSplit`; or a number of folds k for
            ``KFold(k, shuffle=True, random_state=0)``.  Defaults to 5.
        groups: The group of each row, for splitters that keep groups together.  Defaults to None.
        p_threshold: A trial is stopped between two folds if a one-sided signed-rank test of
            Wilcoxon finds its losses higher than those of the same folds of the best trial, with a
            p-value of at most this, and if their mean is higher.  In (0, 1); n folds have a
            p-value of at least 0.5**n.  None trains all folds of all trials.  Defaults to 0.25:
            the first two folds decide if both are worse.
        min_folds: After how many folds a trial may be stopped, at least 2.  Defaults to 2.

    Raises:
        TypeError: `splitter` is neither a number nor a splitter.
        ValueError: It draws other folds at each call, so that a search could not go on; or an
            argument is out of its range.

    >>> from sklearn.model_selection import KFold
    >>> folds = CrossValidation(KFold(3)).folds((np.arange(6.0), np.arange(6.0)), {})
    >>> [fold["validation_data"][0].tolist() for fold in folds]
    [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    """

    def __init__(
        self,
        splitter: Any = 5,
        *,
        groups: Sequence[Any] | None = None,
        p_threshold: float | None = 0.25,
        min_folds: int = 2,
    ) -> None:
        self.splitter = _checked(splitter)
        self.groups = None if groups is None else np.asarray(groups)
        self.pruner = None if p_threshold is None else FoldPruner(p_threshold, min_folds)
        try:
            self.number = int(self.splitter.get_n_splits(groups=self.groups))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`splitter` must know its number of folds without the data, got {splitter!r} "
                f"({error}).  Splitters by groups need `groups`."
            ) from error

    def folds(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Folds:
        """Return the rows of each fold.

        Args:
            args: Positional arguments of `search`.
            kwargs: Named arguments of `search`.

        Raises:
            TypeError: `x` has no rows that can be chosen.
            ValueError: There are validation data; or the splitter cannot split these rows.
        """
        given = by_name(args, {k: v for k, v in kwargs.items() if k in FIT_ARGUMENTS})
        for name in _VALIDATION:
            if given.get(name) is not None:
                raise ValueError(
                    f"`{name}` can't be passed to `search` with `cross_validation`, which "
                    "validates on each fold in turn: leave it out, and pass all rows as `x` and "
                    "`y`."
                )
        return Folds(self, given)


class Folds:
    """The rows of each fold as arguments of `fit`, made when they are asked for.

    Args:
        cross_validation: Splits the rows.
        given: The arguments of `search` by name.

    Attributes:
        splits: For each fold the rows to train on, and those to validate on.
    """

    def __init__(self, cross_validation: CrossValidation, given: Mapping[str, Any]) -> None:
        self._rows = _DatasetRows(given) if is_dataset(given.get("x")) else _ArrayRows(given)
        labels, groups = self._rows.labels(), cross_validation.groups
        if groups is not None and len(groups) != self._rows.count:
            raise ValueError(
                f"`groups` must have one value for each of the {self._rows.count} rows, got "
                f"{len(groups)}."
            )
        split = cross_validation.splitter.split(np.zeros(self._rows.count), labels, groups)
        self.splits: list[tuple[IntArray, IntArray]] = list(split)

    def __len__(self) -> int:
        return len(self.splits)

    def __getitem__(self, number: int) -> dict[str, Any]:
        train, validation = self.splits[number]
        return self._rows.fold(train, validation)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._rows.count


class _ArrayRows:
    """Rows of arrays, data frames, or nests of them."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._parts = {name: given[name] for name in _ROWS if given.get(name) is not None}
        self.count = _count(self._parts.get("x"))

    def labels(self) -> Any:
        y = self._parts.get("y")
        return None if y is None or isinstance(y, (dict, list, tuple)) else classes(np.asarray(y))

    def fold(self, train: IntArray, validation: IntArray) -> dict[str, Any]:
        held_out = [_taken(part, validation) for part in self._parts.values()]
        return {
            **{name: _taken(part, train) for name, part in self._parts.items()},
            "validation_data": tuple(held_out),
        }


class _DatasetRows:
    """Rows of the batches of a `tf.data.Dataset`."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        dataset = given["x"]
        if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "`x` must be a data set that ends, for cross-validation by the numbers of its rows."
            )
        batches = [(int(tf.nest.flatten(b)[0].shape[0]), _labels_in(b)) for b in dataset]
        sizes, labels = zip(*batches, strict=True)
        self._batch, self.count = sizes[0], sum(sizes)
        self._labels = None if labels[0] is None else np.concatenate(labels)
        self._rows = dataset.unbatch().enumerate()

    def labels(self) -> Any:
        return None if self._labels is None else classes(self._labels)

    def fold(self, train: IntArray, validation: IntArray) -> dict[str, Any]:
        return {"x": self._chosen(train), "validation_data": self._chosen(validation)}

    def _chosen(self, rows: IntArray) -> Any:
        mask = np.zeros(self.count, dtype=bool)
        mask[rows] = True
        kept = tf.constant(mask)

        def is_kept(number: Any, _: Any) -> Any:
            return tf.gather(kept, number)

        chosen = self._rows.filter(is_kept).map(lambda _, row: row).batch(self._batch)
        batches = -(-len(rows) // self._batch)
        return chosen.apply(tf.data.experimental.assert_cardinality(batches))


def of_fold(
    folds: Folds, number: int, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of `fit` for one fold by name.

    Args:
        folds: The folds.
        number: Which of them, from 0.
        args: Positional arguments of `search`.
        kwargs: Named arguments of `search`.
    """
    return {**by_name(args, {}), **kwargs, **folds[number]}


def classes(y: Any) -> Any:
    """Return the class of each row, where labels are one-hot; what else there is, as it is.

    >>> classes(np.array([[0, 1], [1, 0]])).tolist()
    [1, 0]
    """
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    one_hot = y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all()
    return y.argmax(1) if one_hot else y


def _labels_in(element: Any) -> Any:
    y = element[1] if isinstance(element, tuple) and len(element) > 1 else None
    return np.asarray(y) if tf.is_tensor(y) else None


def is_dataset(x: Any) -> bool:
    """Return whether inputs are a `tf.data.Dataset`, which may have the labels too."""
    return hasattr(x, "element_spec") and hasattr(x, "cardinality")


def _count(x: Any) -> int:
    parts = tf.nest.flatten(x) if isinstance(x, (dict, list, tuple)) else [x]
    if not parts or not hasattr(parts[0], "shape"):
        raise TypeError(
            "`x` must be arrays, data frames or a `tf.data.Dataset` for cross-validation, which "
            f"chooses rows, got {type(x).__name__}."
        )
    return int(parts[0].shape[0])


def _taken(part: Any, rows: IntArray) -> Any:
    """Return some rows of an array, a data frame, or a nest of them."""
    if isinstance(part, dict):
        return {name: _taken(value, rows) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return type(part)([_taken(value, rows) for value in part])
    if hasattr(part, "iloc"):
        return part.iloc[rows]
    return tf.gather(part, rows) if tf.is_tensor(part) else part[rows]


def _checked(splitter: Any) -> Any:
    if is_integer(splitter):
        check_integer("splitter", splitter, minimum=2)
        from sklearn.model_selection import KFold

        return KFold(int(splitter), shuffle=True, random_state=0)
    if not (callable(getattr(splitter, "split", None)) and hasattr(splitter, "get_n_splits")):
        raise TypeError(
            "`splitter` must be a number of folds or a splitter of scikit-learn, such as "
            f"`KFold(5)`, got {splitter!r}."
        )
    draws = getattr(splitter, "shuffle", hasattr(splitter, "random_state"))
    if draws and not is_integer(getattr(splitter, "random_state", 0)):
        raise ValueError(
            f"`splitter` must have an integer `random_state`, got {splitter!r}: it would draw "
            "other folds for each trial, which could not be compared."
        )
    return splitter
