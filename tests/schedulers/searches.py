"""Simulated searches for the tests of schedulers."""

from kt_extras.testing.schedulers import SimulatedSearch


def history_of(scheduler, **arguments):
    """Return the history at the end of a simulated search."""
    search = SimulatedSearch(scheduler, **arguments)
    search.run()
    return search.history


def by_number(number, epoch):
    """Return a loss that is lowest for trial 0 and falls equally with the epochs of all trials."""
    return number + 1 / epoch
