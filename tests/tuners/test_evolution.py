"""Searches by evolution, with real trainings."""

import inspect

import pytest

import kt_extras as kte
from kt_extras import MedianPruner
from kt_extras.samplers.evolution import Evolution as EvolutionSampler
from kt_extras.tuners.evolution import Evolution
from tests.tuners.models import VALIDATION, XV, YV, X, Y, build
from tests.tuners.preset_arguments import COMMON, EXECUTIONS, PRUNER, SCHEDULER, Row, check_argument

ROWS = {
    **COMMON,
    "max_trials": Row(7, lambda tuner: tuner.oracle.max_trials),
    "population_size": Row(7, lambda tuner: tuner.oracle.sampler.inner.inner.population_size),
    "tournament_size": Row(3, lambda tuner: tuner.oracle.sampler.inner.inner.tournament_size),
    "sampler": Row(EvolutionSampler(6), lambda tuner: tuner.oracle.sampler.inner.inner),
    "pruner": PRUNER,
    "scheduler": SCHEDULER,
    "executions_per_trial": EXECUTIONS,
}


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_has_its_effect_when_it_is_given(name):
    check_argument(kte.Evolution, name, ROWS[name])


def test_every_argument_has_a_row():
    assert set(ROWS) == set(inspect.signature(kte.Evolution).parameters) - {"unknown"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "`population_size` must be an integer from 2, got 1"),
        ({"population_size": "a"}, "`population_size` must be an integer from 2, got 'a'"),
        ({"max_trials": "a"}, "`max_trials` must be an integer from 1 or None, got 'a'"),
    ],
)
def test_a_size_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evolution(build, "val_accuracy", **arguments)


@pytest.mark.slow
def test_the_best_model_has_the_score_of_its_trial():
    tuner = Evolution(
        build, "val_accuracy", max_trials=4, population_size=2, seed=0, pruner=MedianPruner(2)
    )
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=0)
    rows = tuner.results()
    assert len(rows) == 4
    assert {row["state"] for row in rows} <= {"completed", "pruned"}
    measured = tuner.get_best_models()[0].evaluate(XV, YV, verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(max(row["score"] for row in rows))
