"""What all schedules have in common, and the values of each."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.schedules import (
    Chain,
    Cyclical,
    InverseSquareRoot,
    OneCycle,
    Scaled,
    WarmUp,
    WarmUpStableDecay,
    cosine_restarts,
    step_decay,
)

from_keras = keras.optimizers.schedules
few = hypothesis_settings(max_examples=10)
STEPS = [0, 1, 2, 5, 9, 10, 17, 29, 30, 31, 100]
ALL = {
    "chain": lambda: Chain([WarmUp(0.5, 5), from_keras.CosineDecay(0.5, 10), 0.1], [8, 12]),
    "cosine_restarts": lambda: cosine_restarts(0.5, 30, cycles=3, alpha=0.1, warmup_steps=4),
    "exponential": lambda: Cyclical(0.01, 0.5, 7, policy="exponential", gamma=0.97),
    "inverse_square_root": lambda: InverseSquareRoot(0.5, 10),
    "one_cycle": lambda: OneCycle(0.5, 30, pct_start=0.4, div_factor=10, final_div_factor=100),
    "scaled": lambda: Scaled(InverseSquareRoot(1.0, 3), scale=0.5),
    "stable_decay": lambda: WarmUpStableDecay(0.5, 4, 10, 16, alpha=0.1, shape="exponential"),
    "step_decay": lambda: step_decay(0.5, every=10, factor=0.3),
    "triangular": lambda: Cyclical(0.01, 0.5, 7),
    "triangular2": lambda: Cyclical(0.01, 0.5, 7, policy="triangular2"),
    "warm_up": lambda: WarmUp(from_keras.PolynomialDecay(0.5, 20), 10, 0.1),
}
every_schedule = pytest.mark.parametrize("make", ALL.values(), ids=ALL.keys())


def rates(schedule, steps=STEPS):
    return np.array([float(schedule(step)) for step in steps])


@every_schedule
def test_a_schedule_made_again_of_its_configuration_as_json_is_the_same(make):
    config = json.loads(json.dumps(from_keras.serialize(make())))
    np.testing.assert_array_equal(rates(from_keras.deserialize(config)), rates(make()))


@every_schedule
def test_a_compiled_step_finds_the_rate_that_python_finds(make):
    schedule = make()
    compiled = tf.function(lambda step: schedule(step))
    found = [float(compiled(tf.constant(step, tf.int64))) for step in STEPS]
    # A compiled division by a constant is a multiplication, hence the tolerance.
    np.testing.assert_allclose(found, rates(schedule), rtol=1e-5, atol=1e-7)
    assert compiled(tf.constant(0, tf.int64)).dtype == tf.float32


@pytest.mark.parametrize("make", [ALL["chain"], ALL["scaled"], ALL["triangular"], ALL["warm_up"]])
def test_a_vector_of_steps_has_the_rate_of_each(make):
    schedule = make()
    np.testing.assert_allclose(schedule(tf.constant(STEPS)), rates(schedule), rtol=1e-6)


@every_schedule
def test_a_rate_is_never_negative_and_never_above_the_highest(make):
    found = rates(make(), range(0, 101, 3))
    assert np.all(found >= 0)
    assert np.all(found <= 0.5 * (1 + 1e-6))


@every_schedule
def test_an_optimizer_follows_the_schedule(make):
    schedule = make()
    variable = keras.Variable(0.0) if hasattr(keras, "Variable") else tf.Variable(0.0)
    sgd = keras.optimizers.SGD(schedule)
    places = []
    for _ in range(6):
        sgd.apply_gradients([(tf.constant(-1.0), variable)])
        places.append(float(variable.numpy()))
    np.testing.assert_allclose(places, np.cumsum(rates(schedule, range(6))), rtol=1e-5)


def test_a_saved_model_goes_on_along_its_schedule():
    schedule = Scaled(Chain([WarmUp(InverseSquareRoot(0.1, 5), 3), OneCycle(0.1, 9)], [4]), 0.5)
    schedule.scale = 2.0
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "mse", run_eagerly=True)
    x = np.linspace(-1, 1, 8)[:, None]
    model.fit(x, x, epochs=2, batch_size=2, verbose=0, shuffle=False)
    model.save("model.keras")
    loaded = keras.models.load_model("model.keras")
    loss = [
        m.fit(x, x, epochs=1, batch_size=2, verbose=0, shuffle=False).history["loss"]
        for m in (model, loaded)
    ]
    assert loss[0] == loss[1]


def test_a_cycle_is_what_figure_2_of_the_paper_shows():
    found = rates(Cyclical(0.1, 0.5, 4), range(13))
    up, down = [0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.3, 0.2]
    np.testing.assert_allclose(found, [*up, *down, *up, 0.5], rtol=1e-6)


@given(step_size=st.integers(1, 50), step=st.integers(0, 500))
@few
def test_triangular2_is_half_as_high_in_every_cycle(step_size, step):
    plain, halved = Cyclical(0.0, 1.0, step_size), Cyclical(0.0, 1.0, step_size, "triangular2")
    assert float(halved(step)) == pytest.approx(
        float(plain(step)) / 2 ** (step // (2 * step_size)), abs=1e-4
    )


def test_the_exponential_policy_multiplies_by_gamma_at_each_step():
    plain, falling = Cyclical(0.1, 0.5, 3), Cyclical(0.1, 0.5, 3, "exponential", gamma=0.9)
    steps = np.arange(20)
    expected = 0.1 + (rates(plain, steps) - 0.1) * 0.9**steps
    np.testing.assert_allclose(rates(falling, steps), expected, rtol=1e-5)


def one_cycle_by_hand(step, peak, total, pct, div, final, anneal):
    """The phases as PyTorch's `OneCycleLR` documents them."""
    ends, values = [pct * total - 1, total - 1], [peak / div, peak, peak / div / final]
    phase = 0 if step <= ends[0] else 1
    begin = 0 if phase == 0 else ends[0]
    fraction = (step - begin) / (ends[phase] - begin)
    start, end = values[phase], values[phase + 1]
    if anneal == "linear":
        return start + (end - start) * fraction
    return end + (start - end) / 2 * (1 + math.cos(math.pi * fraction))


@pytest.mark.parametrize("anneal", ["cosine", "linear"])
@given(total=st.integers(10, 200), pct=st.floats(0.2, 0.9))
@few
def test_one_cycle_is_pytorchs(anneal, total, pct):
    schedule = OneCycle(2.0, total, pct_start=pct, anneal=anneal)
    for step in {0, 1, total // 5, total // 2, total - 2, total - 1}:
        expected = one_cycle_by_hand(step, 2.0, total, pct, 25, 1e4, anneal)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("total", [2, 3, 4])
def test_one_cycle_has_its_peak_and_its_end_in_the_shortest_training(total):
    found = rates(OneCycle(1.0, total), range(total + 2))
    assert found.max() > 0.8  # the peak lies between two steps if `total` is 4
    np.testing.assert_allclose(found[-3:], 1 / 25 / 1e4, rtol=1e-3)


@given(target=st.floats(0.01, 1), warmup=st.integers(1, 20), decay=st.integers(1, 40))
@few
def test_a_warm_up_before_a_cosine_is_what_keras_has_built_in(target, warmup, decay):
    ours = WarmUp(from_keras.CosineDecay(target, decay), warmup, 0.001)
    keras_own = from_keras.CosineDecay(0.001, decay, warmup_target=target, warmup_steps=warmup)
    for step in (0, 1, warmup - 1, warmup, warmup + 1, warmup + decay, warmup + decay + 5):
        assert float(ours(step)) == pytest.approx(float(keras_own(step)), rel=1e-4, abs=1e-6)


@given(steps=st.integers(1, 30), step=st.integers(1, 200))
@few
def test_warm_up_before_inverse_square_root_equals_transformers(steps, step):
    ours = WarmUp(InverseSquareRoot(512**-0.5 * steps**-0.5, steps), steps)
    paper = 512**-0.5 * min(step**-0.5, step * steps**-1.5)  # Vaswani et al. 2017, eq. 3
    assert float(ours(step)) == pytest.approx(paper, rel=1e-5)


def test_a_warm_up_of_0_steps_changes_nothing():
    decay = from_keras.PolynomialDecay(0.5, 20)
    np.testing.assert_array_equal(rates(WarmUp(decay, 0, 0.3)), rates(decay))


def test_step_decay_is_exact_at_its_drops():
    found = rates(step_decay(1.0, every=3, factor=0.5), range(60))
    np.testing.assert_allclose(found, 0.5 ** (np.arange(60) // 3), rtol=1e-5)


@pytest.mark.parametrize(
    ("cycles", "growth", "peaks"), [(1, 2, [0]), (3, 1, [0, 20, 40]), (4, 2, [0, 4, 12, 28])]
)
def test_restarts_begin_at_the_peak_and_the_last_cycle_ends_in_time(cycles, growth, peaks):
    schedule = cosine_restarts(1.0, 70, cycles, growth=growth, warmup_steps=10)
    for peak in peaks:
        # One step later: where a cycle begins, Keras rounds the logarithm either way.
        assert float(schedule(10 + peak + 1)) > 0.8
    found = rates(schedule, range(10, 70, 2))
    assert np.sum(np.diff(found) > 0.1) == len(peaks) - 1
    assert float(schedule(69)) < 0.02


def test_each_restart_may_be_lower():
    schedule = cosine_restarts(1.0, 60, 3, growth=1, peak_decay=0.5)
    np.testing.assert_allclose(rates(schedule, [0, 20, 40]), [1.0, 0.5, 0.25], rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "middle"),
    [("linear", 0.55), ("cosine", 0.55), ("sqrt", 1 - 0.9 * 0.5**0.5), ("exponential", 0.1**0.5)],
)
def test_the_stable_rate_falls_in_the_shape_that_was_asked_for(shape, middle):
    schedule = WarmUpStableDecay(2.0, 5, 10, 20, alpha=0.1, shape=shape)
    assert float(schedule(2)) == pytest.approx(2.0 * 2 / 5)
    np.testing.assert_allclose(rates(schedule, [5, 9, 15]), 2.0, rtol=1e-6)
    assert float(schedule(25)) == pytest.approx(2.0 * middle, rel=1e-5)
    np.testing.assert_allclose(rates(schedule, [35, 99]), 0.2, rtol=1e-5)


def test_a_chain_starts_each_schedule_at_its_step_0():
    parts = [from_keras.PolynomialDecay(1.0, 5), Cyclical(0.1, 0.9, 3), InverseSquareRoot(0.4, 2)]
    found = rates(Chain(parts, [4, 6]), range(20))
    expected = [*rates(parts[0], range(4)), *rates(parts[1], range(6)), *rates(parts[2], range(10))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_new_scale_reaches_a_compiled_training_without_a_new_trace():
    schedule = Scaled(0.5)
    traces = []

    class Counting(keras.layers.Dense):
        def call(self, x):
            traces.append(x)
            return super().call(x)

    model = keras.Sequential([keras.layers.Input((1,)), Counting(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(schedule), loss=lambda _, scores: scores)
    (kernel,) = model.trainable_variables
    x = np.ones((4, 1))
    moves, counts = [], []
    for scale in (1.0, 0.25, 0.0, 2.0):
        schedule.scale = scale
        before = float(kernel.numpy()[0, 0])
        model.fit(x, x, verbose=0)
        moves.append(before - float(kernel.numpy()[0, 0]))
        counts.append(len(traces))
    np.testing.assert_allclose(moves, [0.5, 0.125, 0.0, 1.0], atol=1e-6)
    assert len(set(counts)) == 1


def test_the_scale_is_part_of_the_configuration():
    schedule = Scaled(0.5)
    schedule.scale = 3.0
    assert Scaled.from_config(schedule.get_config()).scale == 3.0


WRONG = [
    (lambda: Cyclical(0.5, 0.1, 5), "`maximal_learning_rate` must not be below"),
    (lambda: Cyclical(0.1, 0.5, 0), "`step_size` must be a whole number of steps from 1, got 0"),
    (lambda: Cyclical(0.1, 0.5, 2.5), "`step_size` must be a whole number"),
    (lambda: Cyclical(0.1, 0.5, 5, "round"), "`policy` must be one of triangular, triangular2"),
    (lambda: Cyclical(0.1, 0.5, 5, gamma=1.1), "`gamma` must lie between 0 and 1"),
    (lambda: OneCycle(0.0, 10), "`maximal_learning_rate` must be a finite number above 0"),
    (lambda: OneCycle(0.1, 1), "`total_steps` must be a whole number of steps from 2"),
    (lambda: OneCycle(0.1, 10, pct_start=1.0), "`pct_start` must lie below 1"),
    (lambda: OneCycle(0.1, 10, div_factor=0.5), "`div_factor` must be at least 1"),
    (lambda: WarmUp("0.1x", 5), "`schedule` must be a schedule, or a finite .* got '0.1x'"),
    (lambda: Scaled(None), "`schedule` must be a schedule, or a finite number .* got None"),
    (lambda: WarmUp(0.1, -1), "`warmup_steps` must be a whole number of steps from 0"),
    (lambda: WarmUp(0.1, True), "`warmup_steps` must be a whole number"),
    (lambda: Chain([], []), "`schedules` must hold at least one schedule"),
    (lambda: Chain([0.1, 0.2], [5, 5]), "`durations` must have one entry fewer"),
    (lambda: Scaled(0.1, -1), "`scale` must be a finite number 0 or above"),
    (lambda: setattr(Scaled(0.1), "scale", math.nan), "`scale` must be a finite number"),
    (lambda: InverseSquareRoot(math.inf, 5), "`learning_rate` must be a finite number above 0"),
    (
        lambda: InverseSquareRoot("0.1", 5),
        "`learning_rate` must be a finite number above 0, got '0.1'",
    ),
    (
        lambda: InverseSquareRoot(True, 5),
        "`learning_rate` must be a finite number above 0, got True",
    ),
    (lambda: WarmUpStableDecay(0.1, 1, 1, 0), "`decay_steps` must be a whole number"),
    (lambda: WarmUpStableDecay(0.1, 1, 1, 1, shape="exponential"), "`alpha` must be above 0"),
    (lambda: step_decay(0.1, 5, factor=0.0), "`factor` must be a finite number above 0"),
    (lambda: cosine_restarts(0.1, 5, 1, warmup_steps=5), "`total_steps` must be .* from 6"),
    (lambda: cosine_restarts(0.1, 5, 2, growth=0.5), "`growth` must be at least 1"),
    (lambda: cosine_restarts(0.1, 10, 20), "`cycles` must leave at least one .* 20 in 10 steps"),
    (lambda: cosine_restarts(0.1, 14, 4), "the first of 0.93 steps; give fewer"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
