import numpy as np

from kt_extras.schedulers.time_varying import TimeVarying

NUMERIC = np.array([False])


def process(memory, noise=1e-4):
    """Return a process of given length scale, memory and noise with one observation of 1."""
    logs = np.log([4.0, 1 / memory, noise])
    return TimeVarying(np.array([[0.5]]), np.array([0.0]), np.ones(1), NUMERIC, logs)


def test_prediction_is_that_of_the_formula_for_one_observation():
    mean, deviation = process(memory=10.0, noise=0.5).predict(np.array([[0.75]]), time=2)
    covariance = np.exp(-0.5 * 4 * 0.25**2 - 2 / 10)
    np.testing.assert_allclose(mean, covariance / 1.5)
    np.testing.assert_allclose(deviation, np.sqrt(1 - covariance**2 / 1.5))


def test_observations_are_forgotten_with_time():
    now, later = (process(5.0).predict(np.array([[0.5]]), time) for time in (0, 50))
    assert now[0] > 0.99 > 0.01 > later[0]
    assert now[1] < 0.02 < 0.98 < later[1]


def test_mean_remains_and_deviation_falls_when_further_observations_are_believed():
    unit = np.linspace(0, 1, 5)[:, None]
    before = process(10.0)
    after = before.believing(np.array([[0.2]]), np.array([1.0]))
    np.testing.assert_allclose(after.predict(unit, 1)[0], before.predict(unit, 1)[0], atol=1e-9)
    assert after.predict(unit, 1)[1][1] < before.predict(unit, 1)[1][1]


def test_dimension_without_effect_gets_the_smaller_relevance():
    rng = np.random.default_rng(0)
    unit = rng.random((40, 2))
    fitted = TimeVarying(unit, np.zeros(40), np.sin(6 * unit[:, 0]), np.array([False, False]))
    steps = np.array([[0.5, 0.5], [0.3, 0.5], [0.5, 0.3]])
    base, first, second = fitted.predict(steps, 0)[0]
    assert abs(second - base) < 0.1 < abs(first - base)
