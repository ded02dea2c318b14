"""What cannot be sent to workers is an error before one is started."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from kt_extras.parallel.sent_data import check_sendable, packed

cloudpickle = pytest.importorskip("ray").cloudpickle


@pytest.mark.parametrize("name", ["x", "validation_data"])
def test_a_data_set_is_refused_and_the_error_says_what_to_pass(name):
    data = tf.data.Dataset.range(4).batch(2)
    with pytest.raises(TypeError, match=f"`{name}` .* Pass a function without arguments"):
        check_sendable(cloudpickle, [], {name: data})
    with pytest.raises(TypeError, match="number 1 by position"):
        check_sendable(cloudpickle, [data], {})


def test_callbacks_with_a_lock_are_refused():
    with pytest.raises(TypeError, match=r"Pass a function `\(hp, trial\) -> callbacks`"):
        check_sendable(cloudpickle, [], {"callbacks": [threading.Lock()]})


def test_arrays_and_functions_are_sent():
    x = np.zeros((3, 2))
    check_sendable(cloudpickle, [x, x], {"validation_data": (x, x), "sample_weight": lambda: x})


def test_a_tuner_that_cannot_be_sent_is_refused():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="Its `build` and whatever it refers to"):
        packed(cloudpickle, lambda _: lock)
