"""The shortest history that fails, as a test that is ready to be pasted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.history import History, Step

Fails = Callable[[History], bool]


def shrunk(history: History, fails: Fails, patience: int = 400) -> History:
    """Return a history that fails, too, and from which nothing can be left out.

    Args:
        history: One that fails.
        fails: Tells whether another one does.
        patience: How many are tried at most. Defaults to 400.
    """
    tried = {history}
    found = True
    while found and len(tried) < patience:
        found = False
        for simpler in _simpler(history):
            if simpler in tried or len(tried) >= patience:
                continue
            tried.add(simpler)
            if fails(simpler):
                history, found = simpler, True
                break
    return history


def _simpler(history: History) -> Iterator[History]:
    """Yield histories that are a little simpler, those with the fewest steps first."""
    steps = history.steps
    size = len(steps)
    while size:
        for begin in range(0, len(steps), size):
            yield replace(history, steps=steps[:begin] + steps[begin + size :])
        size //= 2
    plain = History(kind="random", steps=())
    for name in ("kind", "growth", "ordered", "seed"):
        if getattr(history, name) != getattr(plain, name):
            yield replace(history, **{name: getattr(plain, name)})
    for index, step in enumerate(steps):
        for smaller in _smaller(step):
            yield replace(history, steps=(*steps[:index], smaller, *steps[index + 1 :]))


def _smaller(step: Step) -> Iterator[Step]:
    """Yield a step with smaller numbers."""
    name, *numbers = step
    for index, number in enumerate(numbers):
        for smaller in dict.fromkeys((0, number // 2, number - 1)):
            if 0 <= smaller < number:
                yield (name, *numbers[:index], smaller, *numbers[index + 1 :])


def as_test(history: History, violation: str) -> str:
    """Return a test of one history.

    >>> print(as_test(History(kind="tpe", steps=(("search",),)), "nothing is lost"))
    # nothing is lost
    def test_...(tmp_path):
        history = History(
            kind='tpe',
            steps=(
                ('search',),
            ),
            seed=0,
            ordered=False,
            growth=1000000,
        )
        assert violation_of(history, tmp_path / "disk") is None
    <BLANKLINE>
    """
    steps = "".join(f"            {step!r},\n" for step in history.steps)
    return (
        f"# {violation}\n"
        "def test_...(tmp_path):\n"
        "    history = History(\n"
        f"        kind={history.kind!r},\n"
        f"        steps=(\n{steps}        ),\n"
        f"        seed={history.seed},\n"
        f"        ordered={history.ordered},\n"
        f"        growth={history.growth},\n"
        "    )\n"
        '    assert violation_of(history, tmp_path / "disk") is None\n'
    )
