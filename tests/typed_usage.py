"""Usage of every preset, for mypy: where an ignored error does not exist, it complains."""

import kt_extras as kte


def build(hp: object) -> object:
    return hp


def right() -> None:
    kte.ASHA(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.BayesianOptimization(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.BOHB(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.Evolution(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.GridSearch(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.Hyperband(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.PASHA(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.PBT(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.RandomSearch(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.Search(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)
    kte.TPE(build, "loss", seed=1, target=0.5, directory="d", overwrite=True)


def misspelt() -> None:
    kte.ASHA(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.BayesianOptimization(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.BOHB(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.Evolution(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.GridSearch(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.Hyperband(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.PASHA(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.PBT(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.RandomSearch(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.Search(build, "loss", sead=1)  # type: ignore[arg-type]
    kte.TPE(build, "loss", sead=1)  # type: ignore[arg-type]


def of_a_wrong_type() -> None:
    kte.ASHA(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.BayesianOptimization(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.BOHB(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.Evolution(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.GridSearch(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.Hyperband(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.PASHA(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.PBT(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.RandomSearch(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.Search(build, "loss", seed="one")  # type: ignore[arg-type]
    kte.TPE(build, "loss", seed="one")  # type: ignore[arg-type]
