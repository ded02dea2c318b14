"""A state is read as it was written, or not at all."""

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kt_extras.checkpoints.state_file import UnreadableStateError, read_state, write_state

PATH = Path("state.npz")
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
some_arrays = arrays.arrays(
    st.sampled_from(["float32", "float16", "int64", "bool", "uint8", "complex64"]),
    arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
)
states = st.recursive(
    plain | some_arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def equal(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and equal(list(one.values()), list(other.values()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


@given(state=states)
@settings(max_examples=40)
def test_a_state_is_read_as_it_was_written(state):
    write_state(PATH, state)
    assert equal(read_state(PATH), state)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize("shape", [(), (2, 3), (0,)])
def test_numbers_of_short_types_are_kept(name, shape):
    array = np.full(shape, 1.5, getattr(ml_dtypes, name))
    write_state(PATH, [array])
    (read,) = read_state(PATH)
    assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, shape, array.tobytes())


def test_numbers_that_json_does_not_know_are_kept():
    write_state(PATH, [math.inf, -math.inf, math.nan, np.float32(0.1), np.int64(3)])
    high, low, nan, short, whole = read_state(PATH)
    assert (high, low, short, whole) == (math.inf, -math.inf, np.float32(0.1), 3)
    assert math.isnan(nan)
    assert (type(short), type(whole)) == (np.float32, np.int64)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", lambda: None])
def test_a_value_of_another_type_is_refused(value):
    with pytest.raises(TypeError, match="A state must be made of dicts"):
        write_state(PATH, {"value": value})


def test_arrays_of_objects_are_refused():
    with pytest.raises(TypeError, match="numeric arrays only, got one of dtype object"):
        write_state(PATH, np.array([object()]))


def test_a_state_that_cannot_be_written_leaves_the_old_one(monkeypatch):
    write_state(PATH, "old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space left"):
            write_state(PATH, "new")
    assert read_state(PATH) == "old"
    assert list(Path().iterdir()) == [PATH]


def test_a_missing_directory_is_created():
    write_state(Path("trial", "state.npz"), 1)
    assert read_state(Path("trial", "state.npz")) == 1


def test_every_truncated_file_is_refused():
    write_state(PATH, {"weights": np.arange(50.0), "epoch": 3})
    whole = PATH.read_bytes()
    for length in range(0, len(whole), 37):
        PATH.write_bytes(whole[:length])
        with pytest.raises(
            UnreadableStateError, match=r"`path` state\.npz is truncated, damaged or not a"
        ):
            read_state(PATH)


def test_a_changed_byte_in_the_data_is_noticed():
    write_state(PATH, np.arange(50.0))
    whole = bytearray(PATH.read_bytes())
    position = whole.index(np.float64(17.0).tobytes())
    whole[position + 3] ^= 1
    PATH.write_bytes(bytes(whole))
    with pytest.raises(UnreadableStateError, match="CRC"):
        read_state(PATH)


def save_npz():
    np.savez(PATH, weights=np.ones(2))


def save_npy():
    with PATH.open("wb") as file:
        np.save(file, np.ones(2))


def save_pickle():
    with PATH.open("wb") as file:
        np.save(file, np.array([None]), allow_pickle=True)


def save_json():
    PATH.write_text(json.dumps({"epoch": 3}))


@pytest.mark.parametrize("save", [save_npz, save_npy, save_pickle, save_json])
def test_a_foreign_file_is_refused(save):
    save()
    with pytest.raises(
        UnreadableStateError, match=r"`path` state\.npz is truncated, damaged or not a"
    ):
        read_state(PATH)


def test_a_state_can_be_read_without_its_arrays():
    write_state(PATH, {"epoch": 3, "weights": [np.ones(2)]})
    assert read_state(PATH, skip_arrays=True) == {"epoch": 3, "weights": [None]}
