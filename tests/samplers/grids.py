"""Searches of whole grids."""

from kt_extras.samplers import Grid, SpaceExhausted
from kt_extras.search import History, State, trial_rng


def searched(space, loss=lambda _: 0.0, sampler=None, max_trials=300):
    """Return the history of a search that tries every point of a grid."""
    history, sampler = History(space), sampler or Grid()
    for number in range(max_trials):
        try:
            point = sampler.suggest(history, space, trial_rng(0, number))
        except SpaceExhausted:
            return history
        history.finish(history.start(point), State.COMPLETED, loss(point))
    return history
