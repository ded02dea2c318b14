"""A live model takes other numbers for its optimizer and goes on as a new one would."""

import importlib.util
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from kt_extras import compat, schedules
from kt_extras.checkpoints.full_state import restore_state, save_state
from kt_extras.model_reuse.optimizer_settings import optimizer_numbers
from kt_extras.model_reuse.optimizer_update import differing_numbers, set_numbers, use_variables
from kt_extras.model_reuse.shape_changes import changes_shapes
from kt_extras.optimizers import differential

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)).astype("float32"), RNG.normal(size=(8, 1)).astype("float32")
PATH = Path("state.npz")


class Counting(keras.layers.Layer):
    """Counts how often it is traced."""

    traces = 0

    def call(self, inputs):
        Counting.traces += 1
        return inputs


def model_with(optimizer, loss="mse", activation="tanh"):
    layers = [keras.layers.Dense(4, activation), Counting(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, loss)
    return model


def train(model, steps=3):
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return model.get_weights()


def near(weights, others):
    close = (np.allclose(a, b, rtol=2e-5, atol=1e-6) for a, b in zip(weights, others, strict=True))
    return all(close)


def schedule(rate, steps=5):
    return keras.optimizers.schedules.ExponentialDecay(rate, steps, 0.5)


def scaled(**numbers):
    where = keras.optimizers if compat.KERAS_3 else keras.mixed_precision
    return where.LossScaleOptimizer(keras.optimizers.SGD(0.1, **numbers))


def from_addons(**numbers):
    import tensorflow_addons

    return tensorflow_addons.optimizers.AdamW(learning_rate=0.1, **numbers)


SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW

#: An optimizer, the same with other numbers, and their names.
CHANGES = {
    "all of AdamW": (
        lambda: AdamW(0.1, weight_decay=0.1),
        lambda: AdamW(0.05, weight_decay=0.5, beta_1=0.7, beta_2=0.99),
        ["learning_rate", "beta_1", "beta_2", "weight_decay"],
    ),
    "momentum, and a decay that vanishes": (
        lambda: SGD(0.1, momentum=0.9, weight_decay=0.5),
        lambda: SGD(0.1, momentum=0.5, weight_decay=0.0),
        ["momentum", "weight_decay"],
    ),
    "a schedule": (
        lambda: SGD(schedule(0.1)),
        lambda: SGD(schedule(0.05, steps=3)),
        ["learning_rate/config/initial_learning_rate", "learning_rate/config/decay_steps"],
    ),
    "a schedule whose numbers obey a rule together": (
        lambda: SGD(schedules.Cyclical(0.2, 0.3, 2)),
        lambda: SGD(schedules.Cyclical(0.05, 0.1, 2)),
        [f"learning_rate/config/{name}_learning_rate" for name in ("initial", "maximal")],
    ),
    "the scale of a schedule": (
        lambda: SGD(schedules.Scaled(schedule(1.0), 0.1)),
        lambda: SGD(schedules.Scaled(schedule(1.0), 0.05)),
        ["learning_rate/config/scale"],
    ),
    "an optimizer that scales the loss": (
        lambda: scaled(momentum=0.9),
        lambda: scaled(momentum=0.5),
        ["inner_optimizer/config/momentum"],
    ),
}
if importlib.util.find_spec("tensorflow_addons"):
    CHANGES["tensorflow-addons"] = (
        lambda: from_addons(weight_decay=0.1, beta_1=0.9),
        lambda: from_addons(weight_decay=0.2, beta_1=0.5),
        ["beta_1", "weight_decay"],
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_live_model_trains_like_a_new_one_from_the_same_state(name):
    before, after, names = CHANGES[name]
    live, held, fresh = model_with(before()), model_with(before()), model_with(after())
    use_variables(held)
    train(live)
    save_state(PATH, live, [], epoch=1)
    train(held, steps=1)
    for model in (live, held):
        numbers = differing_numbers(model, fresh)
        assert sorted(numbers) == sorted(names)
    for model in (live, held, fresh):
        restore_state(PATH, model, [])
        set_numbers(model, numbers)
    weights = fresh.get_weights()
    after_training = train(fresh)
    assert near(train(live), after_training)
    assert near(train(held), after_training)
    assert not near(weights, after_training)
    assert differing_numbers(live, fresh) == differing_numbers(held, fresh) == {}


def traces_of(model, numbers):
    train(model, steps=1)
    before = Counting.traces
    set_numbers(model, numbers)
    train(model, steps=1)
    return Counting.traces - before


def test_a_learning_rate_is_taken_without_a_trace():
    model = model_with(Adam(0.1))
    assert traces_of(model, {**optimizer_numbers(model), "learning_rate": 0.05}) == 0
    assert np.isclose(optimizer_numbers(model)["learning_rate"], 0.05)


def test_the_scale_of_a_schedule_is_taken_without_a_trace():
    model = model_with(SGD(schedules.Scaled(schedule(1.0), 0.1)))
    assert traces_of(model, {"learning_rate/config/scale": 0.05}) == 0
    assert np.isclose(optimizer_numbers(model)["learning_rate/config/scale"], 0.05)


def test_other_numbers_need_a_trace():
    assert traces_of(model_with(SGD(0.1, weight_decay=0.1)), {"weight_decay": 0.2}) > 0


def test_numbers_in_variables_need_no_trace_and_keep_the_configuration():
    model = model_with(SGD(0.1, weight_decay=0.1))
    before = model.optimizer.get_config()
    assert "weight_decay" in use_variables(model)
    assert use_variables(model) == []
    assert traces_of(model, {"weight_decay": 0.25}) == 0
    assert model.optimizer.get_config() == {**before, "weight_decay": 0.25}


def test_a_number_that_python_branches_on_stays_a_constant():
    assert "clipnorm" not in use_variables(model_with(SGD(0.1, clipnorm=1.0)))


def test_on_keras_3_all_numbers_of_adamw_become_variables():
    held = set(use_variables(model_with(AdamW(0.1, weight_decay=0.1))))
    wanted = {"beta_1", "beta_2", "epsilon", "weight_decay"}
    assert wanted <= held if compat.KERAS_3 else {"weight_decay"} <= held


def test_numbers_that_an_optimizer_does_not_have_are_refused():
    with pytest.raises(ValueError, match=r"`numbers` must be of those .*; got \['beta_1'\]"):
        set_numbers(model_with(SGD(0.1)), {"beta_1": 0.5})


def weighted(weight):
    def loss(y_true, y_pred):
        return weight * (y_true - y_pred) ** 2

    return loss


class Scaled(keras.losses.Loss):
    """A loss that does not say what it is in its configuration."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, y_true, y_pred):
        return self.scale * (y_true - y_pred) ** 2


def line(**arguments):
    return lambda: model_with(SGD(0.1), **arguments)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (line(), line(loss="mae")),
        (line(), line(activation="relu")),
        (line(), lambda: model_with(Adam(0.1))),
        (line(), lambda: model_with(SGD(schedule(0.1)))),
        (line(), lambda: model_with(SGD(0.1, momentum=0.9))),
        (line(), lambda: model_with(SGD(0.1, nesterov=True))),
        (line(), lambda: model_with(SGD(0.1, clipnorm=1.0))),
        (line(loss=weighted(1.0)), line(loss=weighted(2.0))),
        (line(loss=Scaled(1.0)), line(loss=Scaled(2.0))),
        (line(activation=lambda x, a=1.0: a * x), line(activation=lambda x, a=2.0: a * x)),
    ],
)
def test_models_that_differ_in_something_else_have_no_differing_numbers(one, other):
    assert differing_numbers(one(), other()) is None


def test_functions_with_the_same_code_and_closure_are_the_same():
    one, other = (model_with(SGD(rate), loss=weighted(2.0)) for rate in (0.5, 0.25))
    assert differing_numbers(one, other) == {"learning_rate": 0.25}


def test_names_that_keras_generated_are_not_compared():
    def build(rate):
        inputs = keras.Input((3,))
        left, right = keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)
        model = keras.Model(inputs, keras.layers.Concatenate()([left, right]))
        model.compile(SGD(rate), "mse", metrics=[keras.metrics.MeanSquaredError()])
        return model

    assert differing_numbers(build(0.5), build(0.25)) == {"learning_rate": 0.25}


def test_a_model_that_has_seen_data_equals_one_that_has_not():
    def build(rate):
        model = keras.Sequential(
            [keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        )
        model.compile(SGD(rate), "mse")
        return model

    live = build(0.5)
    train(live, steps=1)
    assert differing_numbers(live, build(0.25)) == {"learning_rate": 0.25}


class Net(keras.Model):
    def __init__(self, units, rate=0.1):
        super().__init__()
        self.hidden = keras.layers.Dense(units)
        self.out = keras.layers.Dense(1)

    def call(self, inputs):
        return self.out(self.hidden(inputs))


class Described(Net):
    def __init__(self, units, **arguments):
        super().__init__(units)
        self.units = units

    def get_config(self):
        return {"units": self.units}


def described(units, rate):
    model = Described(units)
    model.compile(SGD(rate), "mse")
    return model


def test_subclassed_models_are_compared_by_their_configurations():
    assert differing_numbers(described(2, 0.5), described(2, 0.25)) == {"learning_rate": 0.25}
    assert differing_numbers(described(2, 0.5), described(3, 0.25)) is None


def build(hp):
    units = hp.Int("units", 2, 64, step=2)
    activation = hp.Choice("activation", ["relu", "tanh"])
    layers = [keras.layers.Dense(units, activation)]
    if hp.Boolean("drop"):
        with hp.conditional_scope("drop", [True]):
            layers.append(keras.layers.Dropout(hp.Float("share", 0.0, 0.5)))
    deep = hp.Boolean("deep")
    with hp.conditional_scope("deep", [True]):
        if deep:
            layers.append(keras.layers.Dense(hp.Choice("more", [4, 8])))
    hp.Fixed("seed", 3)
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
    model.compile(Adam(hp.Float("rate", 1e-4, 1e-1, sampling="log")), "mse")
    return model


def declared(build, **values):
    hp = keras_tuner.HyperParameters()
    for name, value in values.items():
        hp.values[name] = value
    build(hp)
    return hp


def test_hyperparameters_that_change_shapes_are_found():
    hp = declared(build, drop=True, deep=True)
    values = dict(hp.values)
    changing = {one.name for one in hp.space if changes_shapes(build, hp, one.name)}
    assert changing == {"units", "deep", "more"}
    assert hp.values == values


def test_a_hyperparameter_that_is_inactive_is_tried_where_it_is_active():
    hp = declared(build, deep=True)
    hp.values["deep"] = False
    assert changes_shapes(build, hp, "more")


def siblings(low, high):
    """Return a function whose scopes share a name: 4 to 16 units in one, others in the other."""

    def build(hp):
        kind = hp.Choice("kind", ["a", "b"])
        with hp.conditional_scope("kind", ["a"]):
            units = hp.Int("units", 4, 16) if kind == "a" else 0
        with hp.conditional_scope("kind", ["b"]):
            units = hp.Int("units", low, high) if kind == "b" else units
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(units)])

    hp = declared(build)
    hp.values["kind"] = "b"
    build(hp)
    hp.values["kind"] = "a"
    return build, hp


@pytest.mark.parametrize(("low", "high"), [(32, 64), (4, 64)])
def test_a_choice_changes_shapes_if_its_scopes_give_a_name_other_values(low, high):
    build, hp = siblings(low, high)
    assert changes_shapes(build, hp, "kind")
    assert changes_shapes(build, hp, "units")


def test_a_choice_keeps_shapes_if_its_scopes_give_a_name_equal_values():
    build, hp = siblings(4, 16)
    assert not changes_shapes(build, hp, "kind")


def test_a_model_that_cannot_be_built_with_other_values_counts_as_changed():
    def fragile(hp):
        if hp.Int("units", 1, 3) > 1:
            raise ValueError("too large")
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    assert changes_shapes(fragile, declared(fragile), "units")


def choosing(hp, layers=()):
    """Return a model whose optimizer and trainable variables are hyperparameters."""
    rate, decay = hp.Float("rate", 1e-3, 0.1), hp.Float("decay", 0.0, 0.1)
    optimizers = {
        "sgd": lambda: SGD(rate, weight_decay=decay),
        "heavy": lambda: SGD(rate, hp.Float("momentum", 0.1, 0.9)),
        "adam": lambda: Adam(rate, amsgrad=hp.Boolean("amsgrad")),
        "decaying": lambda: SGD(schedule(rate)),
    }
    layer = keras.layers.Dense(2, name="body", trainable=not hp.Boolean("frozen"))
    model = keras.Sequential([*layers, layer, keras.layers.Dense(1)])
    model.compile(optimizers[hp.Choice("optimizer", list(optimizers))](), "mse")
    return model


@pytest.mark.parametrize("layers", [(keras.Input((3,)),), ()])
def test_the_state_of_the_optimizer_and_the_trained_variables_are_shapes(layers):
    def build(hp):
        return choosing(hp, layers)

    hp = declared(build, optimizer="adam")
    assert changes_shapes(build, hp, "optimizer")
    assert changes_shapes(build, hp, "frozen")
    assert changes_shapes(build, hp, "amsgrad")
    assert not changes_shapes(build, hp, "rate")
    heavy = declared(build, optimizer="heavy")
    assert not changes_shapes(build, heavy, "momentum")
    assert not changes_shapes(build, declared(build), "decay")


def with_factor(hp):
    layers = [keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    factors = {"body": hp.Float("factor", 0.0, 1.0), "head": hp.Float("other", 0.0, 1.0)}
    model.compile(differential(Adam(hp.Float("rate", 0.1, 0.5)), factors, model), "mse")
    return model


def test_factors_of_layers_keep_the_state_of_the_optimizer():
    hp = declared(with_factor)
    assert not any(changes_shapes(with_factor, hp, name) for name in ("factor", "other", "rate"))


def test_trying_values_keeps_the_names_that_keras_generates():
    keras.backend.clear_session()
    keras.layers.Dense(1)
    changes_shapes(build, declared(build), "units")
    keras.backend.clear_session()
    first = keras.layers.Dense(1).name
    changes_shapes(choosing, hp := declared(lambda hp: hp.Float("rate", 1e-3, 0.1)), "rate")
    assert keras.layers.Dense(1).name != first
    assert hp.values == {"rate": 1e-3}


def subclassed(hp):
    model = Net(hp.Int("units", 2, 4))
    model.compile(SGD(hp.Float("rate", 0.1, 0.5)), "mse")
    return model


def test_shapes_are_kept_without_data_if_only_the_optimizer_changes():
    hp = declared(subclassed)
    assert changes_shapes(subclassed, hp, "units")
    assert not changes_shapes(subclassed, hp, "rate")


def late(hp):
    layers = [keras.layers.Dense(hp.Int("units", 2, 4)), keras.layers.Dropout(hp.Float("d", 0, 1))]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    return model


def test_the_shapes_of_a_model_that_has_seen_data_are_used():
    hp = declared(late)
    like = late(hp)
    like(X)
    assert changes_shapes(late, hp, "d")
    assert not changes_shapes(late, hp, "d", like=like)
    assert changes_shapes(late, hp, "units", like=like)


def test_trying_values_does_not_change_random_streams():
    keras.utils.set_random_seed(3)
    expected = build(keras_tuner.HyperParameters()).get_weights()
    keras.utils.set_random_seed(3)
    changes_shapes(build, declared(lambda hp: hp.Int("units", 2, 64)), "units")
    assert all(map(np.array_equal, build(keras_tuner.HyperParameters()).get_weights(), expected))


def test_a_name_that_is_not_declared_is_refused():
    with pytest.raises(KeyError, match="`name` 'unit' is none of"):
        changes_shapes(build, declared(build), "unit")
