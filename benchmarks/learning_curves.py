"""How good is a search that stops or pauses trials: recorded curves of real Keras models, replayed.

    python benchmarks/learning_curves.py --seeds 100 --jobs 2
    python benchmarks/learning_curves.py --searches ours ray_asha --tables digits friedman
    python benchmarks/learning_curves.py --seeds 20 --trials 243

One worker has 1,200 epochs; a table holds the validation error of every model of a grid after each
of 27 epochs (`curve_tables.py` records them).  An epoch costs 1, whoever asks for it; a trial that
is paused and promoted pays only for its new epochs.

*anytime* is the regret of the best validation error so far, averaged over epochs 50 to 1,200; 0 is
the best of the grid, 1 the best epoch of its median model.  *hit* is the median number of epochs
after which the best error so far is that of the best 1% of the grid.  With `--trials`, ASHA and
PASHA begin so many trials instead, and shown are the epochs that they take, the regret of the best
error that they have seen, and that of the same model trained for 27 epochs.  Brackets hold 95%
bootstrap intervals over the seeds.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.samplers.random import Random
from kt_extras.samplers.tpe import TPE
from kt_extras.schedulers import (
    Hyperband,
    ProgressiveHalving,
    Scheduler,
    Start,
    SuccessiveHalving,
)
from kt_extras.search import Choice, History, Point, Sampler, Space, State, trial_rng

TABLES = Path(__file__).parent / "tables"
DEVELOPMENT = ("digits", "noisy_classes", "friedman")  # what our settings were chosen on
HELD_OUT = ("digit_images",)
BUDGET, FIRST, EPOCHS, ETA = 1200, 50, 27, 3


@dataclass(frozen=True)
class Table:
    """The recorded curves of a grid.

    Args:
        name: Its name.
        space: The grid; numbers are ladders, words categories.
        errors: Shape ``(rows, epochs)``, `inf` where a model diverged.
    """

    name: str
    space: Space
    errors: np.ndarray

    @classmethod
    def read(cls, name: str) -> Table:
        """Read a table that `curve_tables.py` has written."""
        with np.load(TABLES / f"{name}.npz") as file:
            grid = {key[5:]: file[key].tolist() for key in file if key.startswith("grid_")}
            errors = np.nan_to_num(file["errors"].astype(float), nan=np.inf)
        ladders = {key: not isinstance(options[0], str) for key, options in grid.items()}
        choices = [Choice(key, tuple(options), ladders[key]) for key, options in grid.items()]
        return cls(name, Space(choices), errors)

    def row(self, point: Point) -> int:
        """Return the row of a point."""
        index = [d.options.index(point[d.name]) for d in self.space.dimensions]
        return int(np.ravel_multi_index(index, [len(d.options) for d in self.space.dimensions]))

    @functools.cached_property
    def marks(self) -> tuple[float, float, float]:
        """The best error, that of the best 1% of the rows, and that of the median row."""
        best = self.errors.min(axis=1)
        return float(best.min()), float(np.quantile(best, 0.01)), float(np.median(best))


@functools.cache
def table_named(name: str) -> Table:
    """Return a table, read once a process."""
    return Table.read(name)


class Spent(Exception):  # noqa: N818 - no error: the search is simply over
    """Raised when the last epoch of the budget is used up."""


class Worker:
    """Trains at the cost of one unit an epoch, and keeps the best error by epoch."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.errors: list[float] = []

    def epochs(self, point: Point, start: int, stop: int) -> Iterator[float]:
        """Yield the errors of the epochs from `start`, counted from 0, up to `stop`."""
        for error in self.table.errors[self.table.row(point), start:stop]:
            if len(self.errors) >= BUDGET:
                raise Spent
            self.errors.append(float(error))
            yield float(error)

    @property
    def best(self) -> np.ndarray:
        """Shape ``(1200,)``: the best error so far."""
        return np.minimum.accumulate(self.errors)[:BUDGET]


Search = Callable[[Worker, int], None]  # asks the worker for epochs until it raises `Spent`


def ours(scheduler: Scheduler, sampler: Sampler) -> Search:
    """Drive a scheduler and a sampler as the oracle does, one worker and one generator a trial."""

    def search(worker: Worker, seed: int) -> None:
        run(worker, scheduler, sampler, seed)

    return search


def run(
    worker: Worker, scheduler: Scheduler, sampler: Sampler, seed: int, trials: float = np.inf
) -> History:
    """Run a search of so many trials; return its history."""
    space = worker.table.space
    history = History(space)
    while step := scheduler.next_step(history, seed=seed, may_start=len(history) < trials):
        if isinstance(step, Start):
            point = sampler.suggest(history, space, trial_rng(seed, len(history)))
            number = history.start(point, step.bracket)
        else:
            number = step.number
            history.resume(number)
        _train(worker, scheduler, history, number, step.until, seed, trials)
    return history


def _train(
    worker: Worker,
    scheduler: Scheduler,
    history: History,
    number: int,
    until: int,
    seed: int,
    trials: float,
) -> None:
    """Train a trial until the scheduler stops it, or it diverges."""
    error, point = 0.0, history.points[number]
    while (epoch := int(history.epochs[number])) < until:
        for step, error in enumerate(worker.epochs(point, epoch, until), epoch):
            history.report(number, step, error)
        may_start = len(history) < trials
        until = scheduler.goes_on(history, number, seed=seed, may_start=may_start)
    if not np.isfinite(error):
        history.finish(number, State.INFEASIBLE, np.inf)
    elif epoch == scheduler.max_epochs:
        history.finish(number, State.COMPLETED, history.curve(number).best)
    else:
        state = State.PAUSED if scheduler.resumes else State.PRUNED
        history.finish(number, state, history.curve(number).best)


def keras_tuner(kind: str) -> Search:
    """Return an oracle of KerasTuner; Hyperband goes on with the weights of the round before."""

    def search(worker: Worker, seed: int) -> None:
        quiet = contextlib.redirect_stdout(io.StringIO())
        with tempfile.TemporaryDirectory(dir=_memory()) as directory, quiet:
            oracle = _keras_tuner_oracle(kind, worker.table.space, seed)
            oracle._set_project_dir(directory, "benchmark")
            _drive_keras_tuner(oracle, worker)

    return search


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _keras_tuner_oracle(kind: str, space: Space, seed: int):  # type: ignore[no-untyped-def]
    import keras_tuner

    declared = keras_tuner.HyperParameters()
    for dimension in space.dimensions:
        declared.Choice(dimension.name, list(dimension.options), ordered=dimension.ordered or None)
    common = {
        "objective": keras_tuner.Objective("error", "min"),
        "hyperparameters": declared,
        "seed": seed + 1,  # KerasTuner takes 0 for no seed
    }
    if kind == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=BUDGET, **common)
    return keras_tuner.oracles.HyperbandOracle(
        max_epochs=EPOCHS, factor=ETA, hyperband_iterations=100, **common
    )


def _drive_keras_tuner(oracle, worker: Worker) -> None:  # type: ignore[no-untyped-def]
    with contextlib.suppress(Spent):
        while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
            values = trial.hyperparameters.values
            start = values.get("tuner/initial_epoch", 0)
            stop = values.get("tuner/epochs", EPOCHS)
            point = {d.name: values[d.name] for d in worker.table.space.dimensions}
            error = min(worker.epochs(point, start, stop))
            oracle.update_trial(trial.trial_id, {"error": min(error, 1e9)})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
    if len(worker.errors) < BUDGET:
        raise RuntimeError(f"KerasTuner stopped after {len(worker.errors)} epochs.")


def optuna(sampler: str, pruner: str | None) -> Search:
    """Return a sampler of Optuna with one of its pruners, told the error of every epoch."""

    def search(worker: Worker, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        samplers = {
            "tpe": optuna.samplers.TPESampler(seed=seed),
            "random": optuna.samplers.RandomSampler(seed=seed),
        }
        halving = {"min_resource": 1, "reduction_factor": ETA}
        pruners = {
            None: optuna.pruners.NopPruner(),
            "median": optuna.pruners.MedianPruner(),
            "hyperband": optuna.pruners.HyperbandPruner(max_resource=EPOCHS, **halving),
            "halving": optuna.pruners.SuccessiveHalvingPruner(**halving),
        }
        study = optuna.create_study(sampler=samplers[sampler], pruner=pruners[pruner])
        study.optimize(functools.partial(_optuna_trial, worker), n_trials=BUDGET)

    return search


def _optuna_trial(worker: Worker, trial) -> float:  # type: ignore[no-untyped-def]
    import optuna

    point: Point = {}
    for d in worker.table.space.dimensions:
        if d.ordered:
            point[d.name] = d.options[trial.suggest_int(d.name, 0, len(d.options) - 1)]
        else:
            point[d.name] = trial.suggest_categorical(d.name, d.options)
    best = np.inf
    for step, error in enumerate(worker.epochs(point, 0, EPOCHS), 1):
        best = min(best, error)
        trial.report(min(error, 1e9), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return min(best, 1e9)


def ray_asha(worker: Worker, seed: int) -> None:
    """Drive Ray's ASHA, which stops trials; random points."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    scheduler = AsyncHyperBandScheduler(
        time_attr="epoch", metric="error", mode="min", grace_period=1, reduction_factor=ETA,
        max_t=EPOCHS,
    )  # fmt: skip
    history = History(worker.table.space)
    for number in itertools.count():
        trial = _RayTrial(str(number))
        scheduler.on_trial_add(None, trial)
        point = Random().suggest(history, worker.table.space, trial_rng(seed, number))
        for epoch, error in enumerate(worker.epochs(point, 0, EPOCHS), 1):
            result = {"epoch": epoch, "error": min(error, 1e9)}
            if scheduler.on_trial_result(None, trial, result) == scheduler.STOP:
                break
        scheduler.on_trial_complete(None, trial, result)


@dataclass
class _RayTrial:
    trial_id: str


ASHA, PASHA = SuccessiveHalving(EPOCHS, 1, ETA), ProgressiveHalving(EPOCHS, 1, ETA)
MODEL = GaussianProcess()
SEARCHES: dict[str, Search] = {
    "kt_random": keras_tuner("random"),
    "kt_hyperband": keras_tuner("hyperband"),
    "ray_asha": ray_asha,
    "optuna_tpe": optuna("tpe", None),
    "optuna_tpe_median": optuna("tpe", "median"),
    "optuna_tpe_hyperband": optuna("tpe", "hyperband"),
    "optuna_random_halving": optuna("random", "halving"),
    "optuna_tpe_halving": optuna("tpe", "halving"),
    "asha_random": ours(ASHA, Random()),
    "asha_stopping_random": ours(SuccessiveHalving(EPOCHS, 1, ETA, mode="stopping"), Random()),
    "pasha_random": ours(PASHA, Random()),
    "asha_tpe": ours(ASHA, Distinct(TPE())),
    "asha_gp": ours(SuccessiveHalving(EPOCHS, 1, ETA, forecaster=MODEL), MODEL),
    "asha_gp_by_loss": ours(ASHA, MODEL),
    "bohb": ours(Hyperband(EPOCHS, ETA, iterations=100), LargestBudget()),
}


def best_so_far(search: str, table: str, seed: int) -> np.ndarray:
    """Return the best error after each epoch of one search."""
    worker = Worker(table_named(table))
    with contextlib.suppress(Spent):
        SEARCHES[search](worker, seed)
    return worker.best


def scores(table: Table, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the anytime regret and the epochs to the best 1% (`inf`: never) of each seed."""
    optimum, good, median = table.marks
    with np.errstate(invalid="ignore"):
        regret = (best - optimum) / (median - optimum)
    anytime = regret[:, FIRST - 1 :].mean(axis=1)
    there = best <= good
    return anytime, np.where(there.any(axis=1), there.argmax(axis=1) + 1.0, np.inf)


def interval(values: np.ndarray, statistic: Callable[..., np.ndarray], digits: int) -> str:
    """Return a statistic of the seeds with its 95% bootstrap interval."""
    rng = np.random.default_rng(0)
    resampled = values[rng.integers(len(values), size=(2000, len(values)))]
    numbers = [statistic(values), *_ordered_quantiles(statistic(resampled, axis=1))]
    middle, low, high = (f"{n:.{digits}f}" if np.isfinite(n) else "never" for n in numbers)
    return f"{middle} [{low}, {high}]"


def _ordered_quantiles(values: np.ndarray) -> np.ndarray:
    """Return the 2.5% and 97.5% quantiles; unlike NumPy's, also among infinities."""
    return np.sort(values)[[int(0.025 * len(values)), int(0.975 * len(values)) - 1]]


def _median(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the lower median, which is one of the values even if others are infinite."""
    return np.sort(values, axis=axis).take((values.shape[axis] - 1) // 2, axis=axis)


def result_table(results: dict[tuple[str, str], np.ndarray]) -> str:
    """Return a Markdown table: a row a search, two columns a table."""
    tables = list(dict.fromkeys(table for table, _ in results))
    head = "".join(f" {table}: anytime | {table}: hit |" for table in tables)
    lines = [f"| search |{head}", "| --- " * (1 + 2 * len(tables)) + "|"]
    for search in dict.fromkeys(search for _, search in results):
        cells = []
        for table in tables:
            anytime, hit = scores(table_named(table), results[table, search])
            cells += [interval(anytime, np.mean, 3), interval(hit, _median, 0)]
        lines.append(f"| {search} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def compare_halving(tables: list[str], seeds: int, trials: int) -> None:
    """Print what ASHA and PASHA take and find with as many trials, and the rungs they end at."""
    print(f"{seeds} seeds, {trials} random trials\n")
    print("| table | search | epochs | regret seen | regret trained to the end | last rungs |")
    print("| --- " * 6 + "|")
    for name, (label, scheduler) in itertools.product(tables, [("ASHA", ASHA), ("PASHA", PASHA)]):
        rows = np.array([_outcome(name, scheduler, seed, trials) for seed in range(seeds)])
        means = [
            interval(rows[:, column], np.mean, digits) for column, digits in enumerate((0, 3, 3))
        ]
        rungs = ", ".join(f"{np.sum(rows[:, 3] == rung)} at {rung}" for rung in (3, 9, 27))
        print(f"| {name} | {label} | {' | '.join(means)} | {rungs} |", flush=True)


def _outcome(name: str, scheduler: Scheduler, seed: int, trials: int) -> tuple[float, ...]:
    """Return the epochs, the regrets of the best trial now and at its end, and the last rung."""
    table = table_named(name)
    worker = Worker(table)
    history = run(worker, scheduler, Random(), seed, trials)
    best, (optimum, _, median) = int(np.argmin(history.losses)), table.marks
    errors = history.losses[best], table.errors[table.row(history.points[best])].min()
    seen, trained = ((error - optimum) / (median - optimum) for error in errors)
    return len(worker.errors), seen, trained, int(history.epochs.max())


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    recorded = [name for name in (*DEVELOPMENT, *HELD_OUT) if (TABLES / f"{name}.npz").exists()]
    parser.add_argument("--tables", nargs="+", default=recorded)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--save", type=Path, help="folder that keeps the curves; what is there is not run again"
    )
    parser.add_argument("--trials", type=int, help="compare ASHA and PASHA with so many trials")
    args = parser.parse_args()
    if args.trials:
        compare_halving(args.tables, args.seeds, args.trials)
    else:
        compare(args)


def compare(args: argparse.Namespace) -> None:
    """Print what all searches find with as many epochs."""
    began = time.perf_counter()
    results = {}
    with multiprocessing.Pool(args.jobs) as pool:
        for table, search in itertools.product(args.tables, args.searches):
            file = args.save and args.save / f"{table}-{search}.npy"
            known = list(np.load(file)) if file and file.exists() else []
            tasks = [(search, table, seed) for seed in range(len(known), args.seeds)]
            known += pool.starmap(best_so_far, tasks, chunksize=2)
            results[table, search] = np.array(known[: args.seeds])
            if file and tasks:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, known)
    print(f"{args.seeds} seeds, {BUDGET} epochs, one worker\n")
    print(result_table(results), "\n")
    print(f"{time.perf_counter() - began:.0f} s of wall time, {args.jobs} jobs")


if __name__ == "__main__":
    main()
