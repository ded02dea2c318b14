"""A hypermodel whose arguments of `fit` are hyperparameters too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import keras_tuner

from kt_extras import compat
from kt_extras.hypermodels.preprocessing import FittedPreprocessing
from kt_extras.hypermodels.values import VALUES
from kt_extras.running_tuner import running_tuner

_FIT = inspect.signature(keras.Model.fit)
FIT_ARGUMENTS = frozenset(_FIT.parameters)
_COUNTS = ("batch_size", "epochs")
_OF_DATA = 3  # arguments of a function of the data too: `hp`, `x` and `y`


class TrainingSpace(keras_tuner.HyperModel):
    """A model and its training in one search space.

    Each argument is a value; a hyperparameter of the argument's name, such as `Choice([32, 64])`;
    or a function of the hyperparameters, `lambda hp: ...`, in which more are declared.  It takes
    the training data too if it has three parameters, `lambda hp, x, y: ...`: those that the trial
    trains on, without validation data.  All tuners take it as their `hypermodel`, and `refit` and
    each fold of a cross-validation train as it says.  All hyperparameters are declared before the
    first trial; one called like a column of `results`, as `epochs` is, is there `values.epochs`.

    Args:
        build: A function that takes a `keras_tuner.HyperParameters` and returns a compiled model,
            or a `keras_tuner.HyperModel` without a `fit` of its own.
        batch_size: Rows in a batch, from 1.  Defaults to None: as passed to `search`.
        epochs: How long trials train, from 1; not with a tuner that sets it, such as `ASHA`.
            Defaults to None: as passed to `search`.
        data: A function ``(hp, x, y) -> (x, y)``, or ``-> (x, y, sample_weight)``, or ``-> data
            set``, called once a training with the training data alone: it selects, augments or
            resamples rows.  With a data set `y` is None.  Defaults to None.
        preprocessing: A function ``hp -> transformer``, such as a scaler or a pipeline of
            scikit-learn, or a layer of Keras with `adapt`.  It is fitted to the inputs of the
            training data alone, and transforms those of the validation data as well.  `fitted`
            makes it once more for new data.  Needs arrays.  Defaults to None.
        callbacks: A function ``hp -> callbacks``, whose callbacks come behind those passed to
            `search`.  Needs a tuner of kt_extras.  Defaults to None.
        class_weight: As for `fit`.  Defaults to None: as passed to `search`.
        sample_weight: As for `fit`; a function ``(hp, x, y)`` as a rule.  Defaults to None: as
            passed to `search`.
        shuffle: As for `fit`.  Defaults to None: as passed to `search`.

    Raises:
        TypeError: `build` builds no models, or a function has neither one nor three parameters.
        ValueError: `batch_size` or `epochs` may be less than 1.

    >>> import kt_extras as kte, numpy as np, tempfile
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> space = kte.TrainingSpace(build, batch_size=kte.Choice([4, 8]), epochs=2)
    >>> tuner = kte.RandomSearch(space, "loss", max_trials=1, directory=tempfile.mkdtemp())
    >>> tuner.search(np.ones((8, 2)), np.ones(8), verbose=0)
    >>> tuner.results()[0]["batch_size"] in (4, 8), tuner.results()[0]["epochs"]
    (True, 2)
    """

    def __init__(
        self,
        build: Callable[[keras_tuner.HyperParameters], keras.Model] | keras_tuner.HyperModel,
        *,
        batch_size: Any = None,
        epochs: Any = None,
        data: Callable[..., Any] | None = None,
        preprocessing: Callable[[keras_tuner.HyperParameters], Any] | None = None,
        callbacks: Callable[[keras_tuner.HyperParameters], Any] | None = None,
        class_weight: Any = None,
        sample_weight: Any = None,
        shuffle: Any = None,
    ) -> None:
        super().__init__()
        self._model = _checked_model(build)
        self._settings: dict[str, Any] = {
            "batch_size": batch_size,
            "epochs": epochs,
            "shuffle": shuffle,
            "class_weight": class_weight,
            "sample_weight": sample_weight,
        }
        for name, value in self._settings.items():
            if callable(value):
                _parameters(name, value)
        for name in _COUNTS:
            _check_counts(name, self._settings[name])
        for name, function, count in (
            ("data", data, _OF_DATA),
            ("preprocessing", preprocessing, 1),
            ("callbacks", callbacks, 1),
        ):
            if function is not None and _parameters(name, function) != count:
                raise TypeError(
                    f"`{name}` must be a function of {_shown(count)}, got {function!r}."
                )
        self._data, self._preprocessing, self._callbacks = data, preprocessing, callbacks

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build the model, and declare the hyperparameters that need no data."""
        model = self._model(hp)
        for name, value in self._settings.items():
            if isinstance(value, VALUES):
                value.declare(hp, name)
            elif callable(value) and _parameters(name, value) == 1:
                value(hp)
        if self._preprocessing is not None:
            self._preprocessing(hp)
        return model

    def build_and_declare(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build the model, and declare what the callbacks depend on too, which are not used."""
        model = self.build(hp)
        if self._callbacks is not None:
            self._callbacks(hp)
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train the model with the arguments of `search` and those of the search space."""
        found = running_tuner()
        if self._callbacks is not None and (found is None or not _is_ours(found.tuner)):
            raise keras_tuner.errors.FatalTypeError(
                "`callbacks` of a `TrainingSpace` needs a tuner of kt_extras, such as "
                "`kte.RandomSearch`; with one of KerasTuner pass them to `search`."
            )
        return model.fit(**self.fit_arguments(hp, args, kwargs))

    def fit_arguments(
        self, hp: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the arguments of `fit` by name, as the hyperparameters say.

        Args:
            hp: KerasTuner's hyperparameters.
            args: Arguments of `fit` by position.
            kwargs: Arguments of `fit` by name; `epochs` overrides that of the search space.

        Raises:
            TypeError: `data` or `preprocessing` returns something else than it should.
        """
        given = by_name(args, kwargs)
        if self.changes_data:
            given = self._with_own_data(hp, given)
        for name, value in self._settings.items():
            if value is not None and (name != "epochs" or "epochs" not in given):
                given[name] = _value_of(hp, name, value, given)
        return given

    def fitted(self, hp: Any, x: Any, y: Any = None) -> FittedPreprocessing:
        """Return the preprocessing of a trial, fitted to training data: call it with new inputs.

        Args:
            hp: The hyperparameters, as from `tuner.get_best_hyperparameters`.
            x: The inputs of the training data.
            y: Their targets.  Defaults to None.

        Raises:
            ValueError: There is no preprocessing.
        """
        if self._preprocessing is None:
            raise ValueError("`preprocessing` was not passed to this `TrainingSpace`.")
        return FittedPreprocessing(self._preprocessing(hp), x, y)

    # What tuners ask.

    @property
    def changes_data(self) -> bool:
        """Whether trials are trained on other data than those passed to `search`."""
        return self._data is not None or self._preprocessing is not None

    @property
    def declares_with_data(self) -> bool:
        """Whether a function of the data may declare hyperparameters."""
        given = self._settings.items()
        return self._data is not None or any(
            callable(value) and _parameters(name, value) == _OF_DATA for name, value in given
        )

    @property
    def fits_plainly(self) -> bool:
        """Whether nothing but numbers of the training is in the search space."""
        return not self.changes_data and self._settings["class_weight"] is None

    @property
    def settings(self) -> list[str]:
        """The names of the arguments of `fit` that are set here."""
        return [name for name, value in self._settings.items() if value is not None]

    @property
    def makes_callbacks(self) -> bool:
        """Whether there are callbacks besides those passed to `search`."""
        return self._callbacks is not None

    def callbacks(self, hp: Any) -> list[keras.callbacks.Callback]:
        """Return the callbacks of a trial besides those passed to `search`."""
        made = None if self._callbacks is None else self._callbacks(hp)
        return [made] if isinstance(made, keras.callbacks.Callback) else list(made or [])

    # Inside.

    def _with_own_data(self, hp: Any, given: dict[str, Any]) -> dict[str, Any]:
        x, y, weight = (given.get(name) for name in ("x", "y", "sample_weight"))
        validation = given.get("validation_data")
        if (fraction := given.pop("validation_split", None)) and validation is None:
            (x, y, weight), validation = compat.split_for_validation((x, y, weight), fraction)
        if self._preprocessing is not None:
            _check_arrays(x, "x")
            fitted = self.fitted(hp, x, y)
            x = fitted(x)
            if validation is not None:
                _check_arrays(validation, "validation_data")
                validation = (fitted(validation[0]), *validation[1:])
        if self._data is not None:
            x, y, weight = _parts_of(self._data(hp, x, y), weight)
        own = {"x": x, "y": y, "sample_weight": weight, "validation_data": validation}
        return {**given, **{name: value for name, value in own.items() if value is not None}}


def by_name(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of `keras.Model.fit` by name.

    Raises:
        TypeError: There is no such argument, or one is given twice.

    >>> by_name([1, 2], {"epochs": 3})
    {'x': 1, 'y': 2, 'epochs': 3}
    """
    bound = _FIT.bind(None, *args, **kwargs).arguments
    del bound["self"]
    return dict(bound)


def _value_of(hp: Any, name: str, value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, VALUES):
        return value.declare(hp, name)
    if not callable(value):
        return value
    if _parameters(name, value) == 1:
        return value(hp)
    return value(hp, given.get("x"), given.get("y"))


def _parts_of(made: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Return what `data` has returned as inputs, targets and weights.

    Args:
        made: What it has returned.
        weight: The weights that were passed to `search`.
    """
    if hasattr(made, "element_spec") or isinstance(made, keras.utils.Sequence):
        return made, None, None
    if not isinstance(made, tuple) or len(made) not in (2, 3):
        raise keras_tuner.errors.FatalTypeError(
            "`data` must return `(x, y)`, `(x, y, sample_weight)` or a data set, got "
            f"{type(made).__name__}."
        )
    if weight is not None and len(made) == 2:
        raise keras_tuner.errors.FatalTypeError(
            "`data` must return `(x, y, sample_weight)`, since `sample_weight` was passed to "
            "`search`, and `data` may change the rows."
        )
    return made if len(made) == 3 else (*made, None)


def _check_arrays(value: Any, name: str) -> None:
    first = value[0] if isinstance(value, (tuple, list)) and value else value
    if value is None or not hasattr(first, "__len__") or hasattr(value, "element_spec"):
        raise keras_tuner.errors.FatalTypeError(
            f"`preprocessing` needs arrays or data frames, got {type(value).__name__} for "
            f"`{name}`: transform a data set in `data`, or with a layer in the model."
        )


def _checked_model(build: Any) -> Callable[[Any], keras.Model]:
    if isinstance(build, keras_tuner.HyperModel):
        if type(build).fit is not keras_tuner.HyperModel.fit:
            raise TypeError(
                f"`build` must be a function, or a `HyperModel` without a `fit` of its own, got "
                f"{build!r}: its `fit` would be passed over.  Set there what it trains with, or "
                "move that into the arguments of `TrainingSpace`."
            )
        return build.build
    if isinstance(build, type) or not callable(build):
        raise TypeError(
            f"`build` must be a function that takes `hp` and returns a model, got {build!r}."
        )
    return build


def _check_counts(name: str, value: Any) -> None:
    numbers = [value]
    if isinstance(value, VALUES):
        numbers = list(getattr(value, "values", None) or [getattr(value, "min_value", value)])
    if value is None or (callable(value) and not isinstance(value, VALUES)):
        return
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"`{name}` must be an integer from 1 in all trials, got {number!r}.")


def _parameters(name: str, function: Any) -> int:
    """Return whether a function is one of `hp` alone, 1, or of `hp, x, y`, 3."""
    if not callable(function):
        raise TypeError(f"`{name}` must be a function, got {function!r}.")
    try:
        signature = inspect.signature(function)
    except ValueError:  # it tells nothing of its arguments
        return 1
    for count in (_OF_DATA, 1):
        try:
            signature.bind(*range(count))
        except TypeError:
            continue
        return count
    raise TypeError(
        f"`{name}` must be a function of {_shown(1)} or of {_shown(_OF_DATA)}, got {function!r}."
    )


def _shown(count: int) -> str:
    return "`hp`" if count == 1 else "`hp, x, y`"


def _is_ours(tuner: Any) -> bool:
    return any(kind.__module__.startswith("kt_extras.tuners") for kind in type(tuner).__mro__)
