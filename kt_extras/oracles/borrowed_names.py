"""What names of KerasTuner, Optuna and Ray are called here.

It imports nothing, since the package itself asks when one of its attributes is not found.
"""

from __future__ import annotations

from collections.abc import Container

_OF_KERAS_TUNER = ("BayesianOptimization", "GridSearch", "Hyperband", "RandomSearch")
_HYPERBAND = "`kt_extras.Hyperband`, or `kt_extras.BOHB`, which has a model, too"

_CLASSES = {
    **{name: f"`kt_extras.{name}`" for name in _OF_KERAS_TUNER},
    **{f"{name}Oracle": f"`kt_extras.{name}Oracle`" for name in _OF_KERAS_TUNER},
    "create_study": "`kt_extras.TPE`",
    "Study": "`kt_extras.TPE`",
    "TPESampler": "`kt_extras.TPE`, or `kt_extras.samplers.TPE`",
    "CmaEsSampler": "`kt_extras.samplers.CMAES`",
    "GPSampler": "`kt_extras.BayesianOptimization`, or `kt_extras.samplers.BayesianOptimization`",
    "QMCSampler": "`kt_extras.samplers.Sobol`",
    "RandomSampler": "`kt_extras.samplers.Random`",
    "GridSampler": "`kt_extras.GridSearch`, or `kt_extras.samplers.Grid`",
    "BruteForceSampler": "`kt_extras.GridSearch`, or `kt_extras.samplers.Grid`",
    "SuccessiveHalvingPruner": "`kt_extras.ASHA`",
    "HyperbandPruner": _HYPERBAND,
    "NopPruner": "`pruner=None`",
    "ASHAScheduler": "`kt_extras.ASHA`",
    "AsyncHyperBandScheduler": "`kt_extras.ASHA`",
    "HyperBandScheduler": _HYPERBAND,
    "HyperBandForBOHB": "`kt_extras.BOHB`",
    "TuneBOHB": "`kt_extras.BOHB`",
    "PopulationBasedTraining": "`kt_extras.PBT`",
    "PB2": '`kt_extras.PBT(..., explore="pb2")`',
    "MedianStoppingRule": "`kt_extras.MedianPruner`",
}

_RENAMED = {
    "factor": "reduction_factor",
    "eta": "reduction_factor",
    "hyperband_iterations": "iterations",
    "max_t": "max_epochs",
    "max_resource": "max_epochs",
    "max_budget": "max_epochs",
    "grace_period": "min_epochs",
    "min_resource": "min_epochs",
    "min_budget": "min_epochs",
    "n_trials": "max_trials",
    "num_trials": "max_trials",
    "num_samples": "max_trials",
    "max_evals": "max_trials",
    "timeout": "max_time",
    "time_budget_s": "max_time",
    "metric": "objective",
    "study_name": "project_name",
    "load_if_exists": "resume",
    "local_dir": "directory",
    "storage_path": "directory",
    "random_state": "seed",
    "random_seed": "seed",
    "perturbation_interval": "interval",
    "quantile_fraction": "quantile",
    "hyperparam_mutations": "mutable",
}

# What has another name in the tuners that have KerasTuner's arguments.
_AS_IN_KERAS_TUNER = {
    "reduction_factor": "factor",
    "iterations": "hyperband_iterations",
    "n_startup_trials": "num_initial_points",
    "n_initial_points": "num_initial_points",
}

_BY_EPOCHS = (
    "each trial trains for the `epochs` that are passed to `search`; for a search that gives "
    "epochs step by step, use `kt_extras.Hyperband(max_epochs=..., factor=...)`, `kt_extras.BOHB` "
    "or `kt_extras.ASHA`."
)
_RUNGS = (
    "the rungs follow from `max_epochs` and `factor`; use `kt_extras.BOHB`, which has the argument."
)
_DIRECTION = (
    'the direction belongs to the objective: `objective=keras_tuner.Objective("val_accuracy", '
    '"max")`, and need not be given for the metrics of Keras.'
)
_FIT = "pass it to `search`, which hands it to `model.fit`."
_STARTUP = "it belongs to the sampler: `sampler=kt_extras.samplers.TPE(n_startup_trials=...)`."
_QUANTILE = "it belongs to the sampler: `sampler=kt_extras.samplers.TPE(quantile=...)`."
_CANDIDATES = "it belongs to the sampler: `sampler=kt_extras.samplers.TPE(candidates=...)`."
_MULTIVARIATE = "it belongs to the sampler: `sampler=kt_extras.samplers.TPE(multivariate=...)`."
_SAMPLER = "use `kt_extras.Search`, which takes any."
_BRACKETS = "use `kt_extras.BOHB`, which runs brackets one after the other."
_PATIENCE = (
    "for the search it is called `max_trials_without_improvement`; to end single trainings, pass "
    "`callbacks=[keras.callbacks.EarlyStopping(patience=...)]` to `search`."
)
_CATCH = (
    "leave it out: a trial that raises has failed, and the search goes on; "
    "`max_consecutive_failed_trials` and `max_failure_fraction` say how long."
)
_POINTS = "call `tuner.enqueue(...)` before `search`."
_NOISE = "leave it out, or use `kt_extras.BayesianOptimization`, which has it."
_WORKERS = "to train in several processes, pass `workers=` to `search`."

_ELSEWHERE = {
    **dict.fromkeys(("max_epochs", "min_epochs", "reduction_factor", "iterations"), _BY_EPOCHS),
    **dict.fromkeys(("direction", "directions", "mode"), _DIRECTION),
    **dict.fromkeys(
        ("epochs", "batch_size", "callbacks", "validation_data", "validation_split", "verbose"),
        _FIT,
    ),
    **dict.fromkeys(("num_initial_points", "n_startup_trials", "n_initial_points"), _STARTUP),
    "gamma": _QUANTILE,
    "n_ei_candidates": _CANDIDATES,
    **dict.fromkeys(("multivariate", "group"), _MULTIVARIATE),
    "brackets": _BRACKETS,
    "sampler": _SAMPLER,
    "patience": _PATIENCE,
    "catch": _CATCH,
    "points_to_evaluate": _POINTS,
    **dict.fromkeys(("alpha", "beta"), _NOISE),
    **dict.fromkeys(("n_jobs", "max_concurrent_trials", "distributed"), _WORKERS),
}


def class_here(name: str) -> str | None:
    """Return what to use for a class of another package, None if that is not known.

    >>> class_here("ASHAScheduler")
    '`kt_extras.ASHA`'
    """
    return _CLASSES.get(name)


def argument_here(name: str, known: Container[str]) -> str | None:
    """Return what to use for an argument of another package, None if that is not known.

    Args:
        name: The argument.
        known: The arguments of the class that was called.

    >>> argument_here("factor", {"reduction_factor", "seed"})
    'it is called `reduction_factor` here.'
    """
    renamed = _RENAMED.get(name, name)
    for here in (renamed, _AS_IN_KERAS_TUNER.get(renamed)):
        if here in known:
            return f"it is called `{here}` here."
    if renamed == "min_epochs" and "factor" in known:
        return _RUNGS
    return _ELSEWHERE.get(renamed)
