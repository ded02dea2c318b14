"""Searches of every kind as plain data, made without training."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kt_extras.analysis.search_data import Epochs, SearchData, Takeover, Target, TrialData
from kt_extras.search import Boolean, Choice, Condition, Float, Int, Space

SGD = (Condition("optimizer", ("sgd",)),)
DEEP = (Condition("layers", (3, 4)),)
FLAT = Space(
    [
        Float("learning_rate", 1e-4, 1e-1, sampling="log"),
        Int("units", 8, 256, step=2, sampling="log"),
        Float("dropout", 0.0, 0.5, step=0.05),
        Choice("activation", ("relu", "gelu", "tanh")),
        Boolean("batch_norm"),
    ]
)
CONDITIONAL = Space(
    [
        Choice("optimizer", ("adam", "sgd", "rmsprop")),
        Float("learning_rate", 1e-4, 1e-1, sampling="log"),
        Float("momentum", 0.5, 0.999, sampling="reverse_log", conditions=SGD),
        Boolean("nesterov", conditions=SGD),
        Int("layers", 1, 4),
        Int("units_3", 8, 256, sampling="log", conditions=DEEP),
        Choice("batch_size", (16, 32, 64, 128), ordered=True),
    ]
)
ACCURACY = Target("val_accuracy", "max")
FAULTS = {
    "failed": (
        "ValueError: Input 0 of layer 'dense_3' is incompatible with the layer: expected 64 "
        "features, got 32\n  File 'model.py', line 12, in build"
    ),
    "infeasible": "ResourceExhaustedError: out of memory while allocating 512 MB",
    "rejected": "constraint: the model has 2,345,678 parameters",
}


def made(
    trials: int = 60,
    space: Space = CONDITIONAL,
    *,
    objective: Target = ACCURACY,
    epochs: int = 12,
    workers: int = 0,
    faults: float = 0.06,
    pruned: float = 0.25,
    seed: int = 0,
    **options: Any,
) -> SearchData:
    """Return a search whose trials were made up, each with a curve."""
    rng = np.random.default_rng(seed)
    clocks = np.zeros(max(workers, 1))
    made_trials = []
    for number in range(trials):
        values = space.decode(rng.random(len(space)))
        state, budget = "completed", epochs
        if rng.random() < faults:
            state, budget = str(rng.choice(list(FAULTS))), int(rng.integers(0, 3))
        elif rng.random() < pruned:
            state, budget = "pruned", int(rng.integers(2, epochs))
        free = int(np.argmin(clocks))
        began = float(clocks[free])
        clocks[free] = began + 0.4 + 0.7 * budget * rng.uniform(0.8, 1.4)
        trial = TrialData(
            number,
            f"{number:04d}",
            state,
            values,
            began=began,
            ended=float(clocks[free]) - 0.1,
            seconds=round(float(clocks[free]) - 0.1 - began, 3),
            worker=f"worker_{free}" if workers else None,
            message=FAULTS.get(state),
            epochs=budget if state != "rejected" else 0,
        )
        if state in {"completed", "pruned"}:
            trial = scored(trial, curve_of(values, budget, rng, objective), objective)
        made_trials.append(trial)
    return SearchData(
        options.pop("name", "digits"),
        space,
        (objective,),
        tuple(made_trials),
        seed=seed,
        seconds=float(clocks.max()),
        **options,
    )


def curve_of(
    values: dict[str, Any], epochs: int, rng: np.random.Generator, objective: Target
) -> list[float]:
    """Return a curve that rises to what the values are worth, as an accuracy or as a loss."""
    worth = 0.97 - 0.06 * (math.log10(values["learning_rate"]) + 2.4) ** 2
    worth -= 0.04 * (values.get("optimizer") == "rmsprop") + 0.05 * values.get("dropout", 0.0)
    worth += 0.02 * math.log10(values.get("units", 30) / 30)
    if "momentum" in values:
        worth -= 0.03 * (math.log10(1 - values["momentum"]) + 1.3) ** 2
    rate = 0.35 + 0.3 * rng.random()
    steps = np.arange(1, epochs + 1)
    heights = worth - 0.6 * np.exp(-rate * steps) + rng.normal(0, 0.006, epochs)
    heights = np.clip(heights, 0.02, 0.999)
    return (heights if objective.direction == "max" else -np.log(heights)).tolist()


def scored(trial: TrialData, curve: list[float], objective: Target) -> TrialData:
    """Return a trial with a curve and what follows from it."""
    best = int(np.argmin(np.array(curve) * objective.sign))
    loss = [1.05 - value if objective.direction == "max" else value for value in curve]
    steps = list(range(len(curve)))
    execution: Epochs = {"steps": steps, "metrics": {objective.name: list(curve), "loss": loss}}
    return replace(
        trial,
        score=curve[best],
        objective_values={objective.name: curve[best]},
        metrics={objective.name: curve[best], "loss": loss[best]},
        best_epoch=best,
        executions=(execution,),
        epochs=len(curve),
    )


def halving(trials: int = 81, *, brackets: int = 1, seed: int = 0) -> SearchData:
    """Return a search by successive halving, with rungs at 1, 3, 9 and 27 epochs."""
    rng = np.random.default_rng(seed)
    search = made(trials, epochs=27, faults=0.03, pruned=0.0, workers=3, seed=seed)
    rungs, kept = (1, 3, 9, 27), []
    for trial in search.trials:
        bracket = int(rng.integers(brackets))
        if trial.score is None:
            kept.append(replace(trial, bracket=bracket, budget=rungs[bracket]))
            continue
        level = bracket
        while level < 3 and trial.score > 0.97 - 0.09 / 2 ** (level - bracket + 1):
            level += 1
        state = "completed" if level == 3 else "paused"
        values = trial.executions[0]["metrics"][ACCURACY.name][: rungs[level]]
        part = scored(trial, [v for v in values if v is not None], ACCURACY)
        kept.append(replace(part, state=state, bracket=bracket, budget=rungs[level]))
    return replace(search, trials=tuple(kept))


def population(members: int = 10, epochs: int = 20, interval: int = 2, seed: int = 0) -> SearchData:
    """Return a search by population based training."""
    rng = np.random.default_rng(seed)
    values = [FLAT.decode(rng.random(len(FLAT))) for _ in range(members)]
    taken: list[list[Takeover]] = [[] for _ in range(members)]
    curves: list[list[float]] = [[] for _ in range(members)]
    worth = rng.uniform(0.3, 0.4, members)
    for epoch in range(epochs):
        if epoch and epoch % interval == 0:
            order = np.argsort(worth)
            for loser in order[: members // 4]:
                winner = int(rng.choice(order[-(members // 4) :]))
                rate = values[winner]["learning_rate"] * rng.choice([0.8, 1.2])
                after = {**values[winner], "learning_rate": float(np.clip(rate, 1e-4, 1e-1))}
                parent = f"{winner:04d}"
                taken[loser].append(Takeover(epoch, parent, dict(values[loser]), after))
                values[loser], worth[loser] = after, worth[winner]
        for member in range(members):
            gain = 0.07 * math.exp(-((math.log10(values[member]["learning_rate"]) + 2.4) ** 2))
            worth[member] += gain * (1 - worth[member]) + rng.normal(0, 0.002)
            curves[member].append(float(worth[member]))
    made_trials = [
        replace(
            scored(
                TrialData(n, f"{n:04d}", "completed", values[n], began=0.3 * n, ended=60 + n),
                curves[n],
                ACCURACY,
            ),
            takeovers=tuple(taken[n]),
            budget=epochs,
            seconds=12.0,
        )
        for n in range(members)
    ]
    return SearchData("population", FLAT, (ACCURACY,), tuple(made_trials), seed=seed, seconds=72.0)


def two_objectives(trials: int = 80, *, third: bool = False, seed: int = 0) -> SearchData:
    """Return a search for accuracy with few parameters, and at most 5 ms for a batch."""
    rng = np.random.default_rng(seed)
    search = made(trials, FLAT, seed=seed)
    goals = (ACCURACY, Target("parameters", "min"), Target("train_seconds", "min"))
    kept = []
    for trial in search.trials:
        if trial.score is None:
            kept.append(trial)
            continue
        size = round(64 * trial.values["units"] * rng.uniform(0.9, 1.1) + 650)
        targets = {ACCURACY.name: trial.score, "parameters": float(size)}
        if third:
            targets["train_seconds"] = trial.seconds or 1.0
        latency = 0.001 + size / 3e6 + rng.uniform(0, 0.001)
        violations = {"latency <= 0.005": max(0.0, latency - 0.005)}
        metrics = {**trial.metrics, "parameters": float(size), "latency": latency}
        kept.append(
            replace(trial, objective_values=targets, violations=violations, metrics=metrics)
        )
    return replace(
        search,
        objectives=goals[: 3 if third else 2],
        trials=tuple(kept),
        constraints=("latency <= 0.005",),
    )


def without_trials() -> SearchData:
    """Return a search that has just begun."""
    return made(0)


def all_failed(trials: int = 5) -> SearchData:
    """Return a search of which no trial has a score."""
    search = made(trials)
    failed = (
        TrialData(t.number, t.trial_id, "failed", t.values, message=FAULTS["failed"], ended=1.0)
        for t in search.trials
    )
    return replace(search, trials=tuple(failed))
