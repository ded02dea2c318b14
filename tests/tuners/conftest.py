"""For all tests of tuners: which trials are trained as one program."""

import pytest

from kt_extras.stacking import ModelStack


@pytest.fixture
def stacked(monkeypatch):
    """Count the models that are trained in each epoch of a stack."""
    sizes, train_epoch = [], ModelStack.train_epoch

    def counted(self, orders=None):
        sizes.append(sum(model is not None for model in self.models))
        return train_epoch(self, orders)

    monkeypatch.setattr(ModelStack, "train_epoch", counted)
    return sizes
