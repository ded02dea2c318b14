"""The states of paused trials: a file that cannot be read counts as missing."""

import numpy as np
import pytest

from kt_extras.checkpoints.state_file import write_state
from kt_extras.checkpoints.state_paths import StateFiles


@pytest.fixture
def states(tmp_path):
    states = StateFiles(tmp_path)
    write_state(states.path("0000", 3), {"epoch": 3, "weights": np.arange(100.0)})
    return states


def test_a_state_exists_once_it_is_written(states):
    assert states.exists("0000", 3)
    assert not states.exists("0000", 1)
    assert not states.exists("0001", 3)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: bytes(len(content)),
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content.replace(np.float64(50).tobytes(), np.float64(51).tobytes()),
        lambda content: bytes(512) + content[512:],
        lambda content: content[:512] + bytes(512) + content[1024:],
    ],
)
def test_a_state_counts_as_missing_when_it_is_damaged(states, damage):
    path = states.path("0000", 3)
    content = path.read_bytes()
    assert damage(content) != content
    path.write_bytes(damage(content))
    with pytest.warns(UserWarning, match=r"empty or damaged, .* is trained again"):
        assert not states.exists("0000", 3)


def test_a_state_counts_as_missing_when_it_is_a_folder(states):
    states.path("0000", 5).mkdir()
    with pytest.warns(UserWarning, match="state-00005.npz, which is empty or damaged"):
        assert not states.exists("0000", 5)
