import keras
import keras_tuner
import numpy as np
import pytest

from kt_extras.tuners.returned_metrics import final_metrics, refuse_evaluation

COST = keras_tuner.Objective("val_cost", "min")


def history(**columns):
    result = keras.callbacks.History()
    result.history = columns
    return result


@pytest.mark.parametrize(
    "number",
    [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), keras.ops.convert_to_tensor(2.0)]
    if hasattr(keras, "ops")
    else [2, 2.0, np.float32(2), np.int64(2), np.array(2.0)],
)
def test_any_number_is_the_objective(number):
    assert final_metrics(number, COST) == ({"val_cost": 2.0}, None)


def test_a_history_has_the_metrics_of_its_best_epoch():
    result = history(loss=[5.0, 4.0, 3.0], val_cost=[2.0, 1.0, 3.0])
    assert final_metrics(result, COST) == ({"loss": 4.0, "val_cost": 1.0}, 1)


def test_only_epochs_with_validation_count_in_a_history():
    result = history(loss=[5.0, 4.0, 3.0, 2.0], val_cost=[2.0, 1.0])
    assert final_metrics(result, COST) == ({"val_cost": 1.0}, 1)


def test_nan_in_the_first_epoch_is_not_the_best():
    assert final_metrics(history(val_cost=[float("nan"), 0.5, 0.1]), COST)[1] == 2


def test_executions_are_averaged():
    runs = [history(val_cost=[3.0, 1.0]), history(val_cost=[2.0, 5.0])]
    assert final_metrics(runs, COST) == ({"val_cost": 1.5}, 0)


def test_a_sum_of_objectives_is_found_in_a_dictionary():
    both = keras_tuner.Oracle(
        objective=[keras_tuner.Objective("a", "min"), keras_tuner.Objective("b", "max")]
    ).objective
    assert final_metrics({"a": 3.0, "b": 1.0}, both)[0]["multi_objective"] == 2.0


@pytest.mark.parametrize("results", [None, "good", object(), []])
def test_an_error_mentions_return_when_there_is_no_result(results):
    with pytest.raises(keras_tuner.errors.FatalTypeError, match="Is a `return` missing"):
        final_metrics(results, COST)


@pytest.mark.parametrize("results", [{"loss": 1.0}, history(loss=[1.0])])
def test_an_error_lists_the_metrics_when_the_objective_is_missing(results):
    with pytest.raises(keras_tuner.errors.FatalValueError, match=r"`objective` .*\['loss'\]"):
        final_metrics(results, COST)


@pytest.mark.parametrize("values", [[3.0, 1.0], (2.0,) * 5, []])
def test_a_dictionary_with_a_value_for_each_epoch_is_refused(values):
    message = rf"return one number for 'val_cost', got {len(values)}, as .* Return the `History`"
    with pytest.raises(keras_tuner.errors.FatalTypeError, match=message):
        final_metrics({"val_cost": values, "loss": values}, COST)


@pytest.mark.parametrize("result", [[0.5, 0.9], (np.float32(0.5), 1)])
def test_several_numbers_from_one_training_are_refused(result):
    with pytest.raises(keras_tuner.errors.FatalTypeError, match=r"got 2: .* `return_dict=True`"):
        refuse_evaluation(result)


@pytest.mark.parametrize("result", [0.5, [0.5], [{"loss": 1.0}] * 2, {"loss": 1.0}, None, "ab"])
def test_other_results_of_one_training_are_left_alone(result):
    refuse_evaluation(result)
