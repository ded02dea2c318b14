"""Histories: what happens to a search, step by step, and whether the laws hold."""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import io
import math
import random
import tempfile
import warnings
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kt_extras.records.events import to_record
from kt_extras.records.recorder import Recorder
from kt_extras.records.snapshot import snapshot_events
from kt_extras.storage import ProjectInUseError, StorageError
from kt_extras.storage.store import open_store
from tests.simulation import training
from tests.simulation.clock import Clock
from tests.simulation.disk import Disk, Fault, Killed, Process
from tests.simulation.model import End, Model, Reference, Violation, best_weight
from tests.simulation.training import ORACLES, PROJECT, ArithmeticTuner, CrashError, tuner_in

try:
    from kt_extras.records.repair import repair
except ModuleNotFoundError:  # versions before it are simulated, too
    repair = None  # type: ignore[assignment]
try:
    from kt_extras.analysis.reading import ProjectReader
    from kt_extras.oracles.search_data import search_data
except ModuleNotFoundError:
    search_data = None  # type: ignore[assignment]

Step = tuple[Any, ...]
_ERRORS = (errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOSPC)
_ENVIRONMENT = (OSError, StorageError)
FOLDER = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())
_SEEDS = 10  # of searches; their undisturbed runs are kept
TRIAL = object()  # the one that runs
#: What a program may report by mistake.
MISTAKES: tuple[tuple[Any, ...], ...] = (
    ("update_trial", TRIAL, {"cost": 1.0}, -1),
    ("update_trial", TRIAL, {"cost": 1.0}, 40),
    ("update_trial", TRIAL, {"cost": 1.0}, 0.5),
    ("update_trial", TRIAL, {"cost": 1.0}, None),
    ("update_trial", TRIAL, {"cost": "low"}, 0),
    ("update_trial", TRIAL, {"cost": None}, 0),
    ("update_trial", TRIAL, {"cost": [1.0, 2.0]}, 0),
    ("update_trial", TRIAL, {"cost": {"a": 1.0}}, 0),
    ("update_trial", TRIAL, {"cost": 10**400}, 0),
    ("update_trial", TRIAL, {3: 1.0}, 0),
    ("update_trial", "nobody", {"cost": 1.0}, 0),
    ("end_trial", "nobody"),
    ("end_trial", TRIAL, "PERFECT"),
    ("enqueue", {"x": math.nan}),
    ("enqueue", {"x": 7.0}),
    ("enqueue", {"y": 1.0}),
    ("enqueue", {"c": "z"}),
)
#: How often a kind of step is taken, compared with others, where it is taken at all.
_OFTEN = {
    "again": 3,
    "cell": 2,
    "kill": 3,
    "kill_at": 5,
    "kill_ending": 3,
    "cut": 2,
    "cut_at": 4,
    "interrupt": 2,
    "ask": 1,
    "interrupt_at": 2,
    "full": 3,
    "error_at": 3,
    "repaired": 3,
    "crash": 1,
    "nan": 1,
    "reader": 2,
    "enqueue": 2,
    "mistake": 2,
    "edit": 1,
    "sleep": 1,
    "wall": 1,
    "damage": 1,
}
_ARMED = {"kill_at", "cut_at", "interrupt_at", "error_at", "full"}
_SHARE = 0.3  # of these kinds, in a history
_DAMAGES = ("drop", "double", "swap", "flip", "kind", "deep")


@dataclass(frozen=True)
class History:
    """A search and what happens to it.

    Attributes:
        kind: A key of `ORACLES`.
        steps: Names of methods of `Runner`, without the underscore, and their arguments.
        seed: From 0.
        ordered: As for `Disk`.
        growth: Bytes of the journal after which it is summed up in a snapshot.
    """

    kind: str
    steps: tuple[Step, ...]
    seed: int = 0
    ordered: bool = False
    growth: int = 1_000_000


def random_history(chance: random.Random) -> History:
    """Return a history of some kinds of steps: with all of them, each would hide what others do."""
    draw = chance.randrange
    kinds = {name: often for name, often in _OFTEN.items() if chance.random() < _SHARE}
    kinds |= {"search": 8, "run": 9}

    def call() -> int:
        return 1 + draw(chance.choice((60, 250)))

    arguments = {
        "run": lambda: (1 + draw(chance.choice((8, 40))),),
        "kill_ending": lambda: (1 + draw(10),),
        "kill_at": lambda: (call(), draw(2)),
        "cut_at": lambda: (call(), draw(2)),
        "interrupt_at": lambda: (call(), draw(2)),
        "full": lambda: (draw(4000),),
        "error_at": lambda: (call(), draw(2), draw(len(_ERRORS))),
        "reader": lambda: (draw(3),),
        "enqueue": lambda: (draw(2), draw(11)),
        "mistake": lambda: (draw(len(MISTAKES)),),
        "sleep": lambda: (draw(100_000),),
        "wall": lambda: (draw(200_000) - 100_000,),
        "damage": lambda: (draw(len(_DAMAGES)), draw(40)),
    }
    steps: list[Step] = [("search",)]
    while len(steps) < 3 or (len(steps) < 14 and chance.random() < 0.8):
        name = chance.choices(list(kinds), list(kinds.values()))[0]
        steps.append((name, *arguments.get(name, tuple)()))
    return History(
        kind=chance.choice(list(ORACLES)),
        steps=tuple(steps),
        seed=draw(_SEEDS),
        ordered=chance.random() < 0.3,
        growth=chance.choice((1_000_000, 3_000)),
    )


class Runner:
    """Runs one history.

    Args:
        history: The history.
        folder: Where the disk is; its content is removed.

    Attributes:
        done: How often each kind of step was taken.
    """

    def __init__(self, history: History, folder: Path) -> None:
        self.history = history
        self.disk = Disk(folder, ordered=history.ordered)
        self.clock = Clock()
        self.model = Model()
        self.done: Counter[str] = Counter()
        self._chance = random.Random(history.seed)
        self._steps = deque(history.steps)
        self._programs = 0
        self._draws = (history.seed * 2, history.seed * 2 + 1)
        self._old: list[ArithmeticTuner] = []  # objects that a notebook still has
        self._edited = 0
        self._live: ArithmeticTuner | None = None  # of a process that has not ended
        self._process: Process | None = None
        self._in_session = False
        self._credits = 0.0
        self._ends = 0  # of trials, until the process is killed at one
        self._references = {
            seed: undisturbed(history.kind, seed) for seed in map(drawn_seed, self._draws)
        }
        self._pending = ""  # what the user's code does in its next epoch
        self._cut_follows = False
        self._interrupting = False
        self._over = False
        self._violation: Violation | None = None
        project, lock = self.disk.root / PROJECT, self.disk.root / f".{PROJECT}.lock"
        inside, at = f"{project}/", {str(project), str(lock)}
        self.disk.allowed = lambda path: path in at or path.startswith(inside)
        self._project = project
        self._outside = self.disk.root / "trial_0000" / "checkpoint.weights.h5"

    def run(self) -> None:
        """Take all steps, then let the search end, and check the laws.

        Raises:
            Violation: One does not hold.
        """
        self._outside.parent.mkdir()
        self._outside.write_text("another's")
        self.disk.settle()
        with (
            _quiet(),
            training.installed(self.history.growth),
            self.disk.installed(),
            self.clock.installed(),
        ):
            while self._steps and not self._over:
                self._take(self._steps.popleft())
            if not self._over:
                self._finish()
        if self.disk.strays or self._outside.read_text() != "another's":
            raise Violation(f"files outside the project were changed: {self.disk.strays}")

    def violation(self) -> str | None:
        """Take all steps, and return which law is broken, None if none is."""
        try:
            self.run()
        except Violation as violation:
            return str(violation)
        except (Exception, KeyboardInterrupt, Killed) as error:
            return f"{type(error).__name__}: {error}"
        return None

    # Steps.

    def _take(self, step: Step) -> None:
        name, *arguments = step
        self.done[name] += 1
        getattr(self, f"_{name}")(*arguments)

    def _search(self) -> None:
        """A new process searches; while another one does, it must be refused."""
        process = self.disk.new_process()
        if self._in_session:
            self._refused(process)
            return
        self._end_process()
        self._program(process, self._new_tuner)

    def _again(self) -> None:
        """The same object searches again."""
        if self._in_session or self._live is None or self._process is None:
            return
        live = self._live
        self._program(self._process, lambda: live)

    def _cell(self) -> None:
        """A new object in the same process searches, as in a notebook."""
        if self._in_session or self._live is None or self._process is None:
            return
        self._program(self._process, self._new_tuner)

    def _run(self, points: int) -> None:
        self._credits = points

    def _kill(self) -> None:
        if self._in_session:
            assert self._process is not None
            self.disk.kill(self._process)
            raise Killed
        self._end_process()

    def _kill_ending(self, ends: int) -> None:
        """Kill the process when a trial has been trained and its end is not on record yet.

        Args:
            ends: At which end from now on, from 1.
        """
        if self._in_session:
            self._ends, self._credits = ends, math.inf

    def _kill_at(self, call: int, after: int) -> None:
        self.disk.fault = Fault("kill", call, after=bool(after))

    def _cut(self) -> None:
        self._cut_follows = True
        if self._in_session:
            self._kill()
        self._power_cut()

    def _cut_at(self, call: int, after: int) -> None:
        self._kill_at(call, after)
        self._cut_follows = True

    def _interrupt(self) -> None:
        if self._in_session:
            self._interrupting = True
            raise KeyboardInterrupt

    def _ask(self) -> None:
        """Ctrl-C, once."""
        if self._in_session and self._live is not None:
            self._interrupting = True
            self._live._stop_request.is_set = True

    def _interrupt_at(self, call: int, after: int) -> None:
        self.disk.fault = Fault("interrupt", call, after=bool(after))

    def _full(self, room: int) -> None:
        self.disk.room = room

    def _error_at(self, call: int, lasting: int, number: int) -> None:
        self.disk.fault = Fault("error", call, number=_ERRORS[number], lasting=bool(lasting))

    def _repaired(self) -> None:
        """The disk is in order again."""
        self.disk.room, self.disk.fault, self._cut_follows = None, None, False

    def _crash(self) -> None:
        if self._in_session:
            self._pending = "crash"

    def _nan(self) -> None:
        if self._in_session:
            self._pending = "nan"

    def _reader(self, edited: int) -> None:
        """Another process reads the results: of the same program, or of an edited one."""
        with self._no_fault(), self.disk.used_by(self.disk.new_process()):
            recorded = open_store(None, self._project).exists()
            max_trials = 1 if edited == 2 and self.history.kind not in {"pbt", "pb2"} else None
            tuner = self._loaded(int(edited == 1), max_trials)
            tuner.results()
            if recorded and self.disk.process.writes:
                raise Violation(f"a reader has changed {self.disk.process.writes} times the disk")
            if recorded and edited == 0:
                self.model.check(state_of(tuner))
        self._check_lock()

    def _enqueue(self, own: int, tenth: int) -> None:
        """A point is enqueued, by the searching process or by another one."""
        values, write = {"x": tenth / 10}, self._live
        if not own or write is None or self._in_session:
            with self._no_fault(), self.disk.used_by(self.disk.new_process()):
                tuner = self._loaded()
                if self._in_session:
                    self._check_refused(lambda: tuner.enqueue(values), "another process enqueues")
                    return
                self._enqueued(tuner, values)
                if not open_store(None, self._project).exists():
                    raise Violation("a point was enqueued, and nothing is on record")
            self._check_lock()
        else:
            with self._no_fault():
                self._enqueued(write, values)

    def _enqueued(self, tuner: Any, values: dict[str, float]) -> None:
        high = 0.5 if self._edited else 1.0
        try:
            tuner.enqueue(values)
        except ValueError:
            if values["x"] <= high:
                raise
            return
        except (ProjectInUseError, RuntimeError):  # another has gone on with the search since
            return
        if values["x"] in tuner.enqueued_before:  # as when a script is run again
            return
        self.model.disturbed = True
        if self.model.queue is not None:
            self.model.queue.append(values["x"])
        if self.model.seed is None:
            self.model.seed = tuner.oracle.seed

    def _mistake(self, number: int) -> None:
        """The user's code passes something wrong to the oracle; nothing may break later."""
        if not self._in_session or self._live is None:
            return
        oracle = self._live.oracle
        if not oracle.ongoing_trials:
            return
        trial = next(iter(oracle.ongoing_trials.values())).trial_id
        before, (method, *given) = _summary(state_of(self._live)), MISTAKES[number]
        with self._no_fault(), self.disk.used_by(self._process or self.disk.process):
            try:
                getattr(oracle, method)(*(trial if x is TRIAL else x for x in given))
            except Exception:
                if _summary(state_of(self._live)) != before:
                    raise Violation(f"mistake {number} was refused and has effects") from None
            else:
                self.model.polluted.add(trial)
                self.model.crashed.add(trial)
                self.model.disturbed = True
                self.model.queue = None
            self._check_live(self._state_on_disk())

    def _edit(self) -> None:
        """The user narrows the range of `x`."""
        self._edited, self.model.disturbed, self.model.queue = 1, True, None

    def _sleep(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    def _wall(self, seconds: int) -> None:
        self.clock.set_wall(seconds)

    def _damage(self, number: int, place: int) -> None:
        """Somebody changes the lines of the journal, which must not load as if it were whole."""
        path = self._project / "journal.jsonl"
        if self._in_session or not path.exists() or self.disk.room is not None:
            return
        lines = path.read_bytes().split(b"\n")[:-1]
        if len(lines) < 3:
            return
        place %= len(lines) - 1
        changed = _damaged(lines, _DAMAGES[number], place)
        if changed == lines:
            return
        self._over = True
        before = _summary(self._state_on_disk())
        snapshot = (self._project / "snapshot.jsonl").exists()
        with self._no_fault(), self.disk.used_by(self.disk.new_process()):
            path.write_bytes(b"\n".join(changed) + b"\n")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                after = _summary(self._state_on_disk())
            except StorageError:
                if repair is not None:
                    self._salvage()
                return
            except Exception as error:
                raise Violation(f"a damaged journal is a bare {error!r}") from error
        if not caught and not (snapshot and after == before):
            raise Violation(f"the journal is damaged ({_DAMAGES[number]}), and nothing is said")

    # A process.

    def _program(self, process: Process, make: Callable[[], ArithmeticTuner]) -> None:
        """Let a process make a tuner and search, and check what it leaves behind."""
        with self.disk.used_by(process):
            self._process, self._credits, self._ends = process, 0.0, 0
            self.disk.failed = self.disk.interrupted = False
            began = self.clock.monotonic
            error = self._attempt(make)
            self.model.searched += self.clock.monotonic - began
        self._in_session, self._pending = False, ""
        if self._violation is not None:
            raise self._violation
        if isinstance(error, Killed):
            self._end_process()
            self.model.cut_short += 1
            if self._cut_follows:
                self._power_cut()
        elif error is not None:
            self._failed(error)
        stored = self._check_disk()
        if error is None:
            self._interrupting = False
            self._check_live(stored)

    def _attempt(self, make: Callable[[], ArithmeticTuner]) -> BaseException | None:
        try:
            tuner = make()
            if self._live is not None and self._live is not tuner:
                self._old.append(self._live)
            self._live = tuner
            epochs = {} if tuner.oracle.scheduler else {"epochs": training.EPOCHS}
            self._in_session = True
            tuner.search(verbose=0, **epochs)
        except Violation:
            raise
        except BaseException as error:  # a simulated process may end in any way
            return error
        return None

    def _failed(self, error: BaseException) -> None:
        """Check that a search may have ended in this way."""
        self.model.cut_short += 1
        asked = self._interrupting or self.disk.interrupted
        if isinstance(error, KeyboardInterrupt) and asked:
            self._interrupting = False
        elif isinstance(error, RuntimeError) and "crashed" in str(error) and self.model.crashed:
            pass
        elif not (isinstance(error, _ENVIRONMENT) and self._disk_fails):
            raise Violation(f"a search has ended with {type(error).__name__}: {error}") from error
        if isinstance(error, ProjectInUseError):
            raise Violation(f"an error of the disk is shown as {error}") from error

    def _new_tuner(self) -> ArithmeticTuner:
        random.seed(self._draws[self._programs % 2])  # of which the search's seed is drawn
        self._programs += 1
        return self._made(self._at, edited=self._edited)

    def _loaded(self, edited: int | None = None, max_trials: int | None = None) -> Any:
        """Return the tuner of a program that does not search."""
        random.seed(self._draws[0])
        edited = self._edited if edited is None else edited
        return self._made(edited=edited, max_trials=max_trials)

    def _made(self, *given: Any, **settings: Any) -> Any:
        tuner: Any = tuner_in(self.disk.root, self.history.kind, *given, **settings)
        tuner.enqueued_before = list(self.model.queue or [])  # which is not enqueued again
        return tuner

    def _at(self, what: str, trial: str, epoch: int = 0) -> str | None:
        """Take the steps that are due now, inside of a trial; called by the tuner."""
        try:
            return self._note(what, trial, epoch)
        except Violation as violation:
            self._violation = violation
            raise

    def _note(self, what: str, trial: str, epoch: int) -> str | None:
        if self.disk.process.dead:
            raise Killed
        assert self._live is not None
        if what == "begun" and self.model.seed is None:
            self.model.seed = self._live.oracle.seed
        if what == "training":
            self.model.begins(trial, epoch, self._reference)
            return None
        if what == "ended":
            self._ended(self._live.oracle.trial_record(trial))
        self._ends -= what == "ending"
        if what == "ending" and self._ends == 0:
            self._kill()
        self._credits -= 1
        while self._credits <= 0:
            if not self._steps:
                self._credits = math.inf
                break
            step = self._steps.popleft()
            self._take(step)
            if step[0] in _ARMED and self._ends <= 0:  # let it strike before the next step
                self._credits = 30
        if what == "epoch" and self._pending:
            return self._misbehave(trial)
        return None

    def _ended(self, record: Any) -> None:
        """Note that the end of a trial was acknowledged."""
        if record.state.value != "waiting":
            trial = record.trial
            end = End(record.state.value, trial.score, record.trained)
            self.model.ends[trial.trial_id] = end
            self.model.recorded.pop(trial.trial_id, None)

    def _misbehave(self, trial: str) -> str:
        pending, self._pending = self._pending, ""
        self.model.disturbed = True
        self.model.crashed.add(trial)
        if pending == "crash":
            raise CrashError("the user's code")
        return pending

    def _refused(self, process: Process) -> None:
        with self._no_fault(), self.disk.used_by(process):
            tuner = self._loaded()
            epochs = {} if tuner.oracle.scheduler else {"epochs": training.EPOCHS}
            self._check_refused(lambda: tuner.search(verbose=0, **epochs), "a second one searches")

    def _check_refused(self, call: Callable[[], Any], what: str) -> None:
        try:
            call()
        except ProjectInUseError:
            return
        raise Violation(f"while a process searches, {what} and is not refused")

    def _end_process(self) -> None:
        if self._process is not None and not self._process.dead:
            self.disk.kill(self._process)
        self._live = self._process = None
        self._old = []
        training.forget_process()

    def _power_cut(self) -> None:
        self._end_process()
        self._cut_follows = False
        self.disk.power_cut(self._chance)
        self.model.power_cut()
        self._check_disk()

    # The end.

    def _finish(self) -> None:
        self._repaired()
        self._interrupting = False
        self._search()
        tuner = self._live
        assert tuner is not None
        state = state_of(tuner)
        with self.disk.used_by(self.disk.new_process()):
            for trial, end in outcome_of(state).items():
                if end.state in {"completed", "pruned"} and trial not in self.model.polluted:
                    self._check_weights(tuner, state, trial)
        given_up = any(end.state == "failed" for end in outcome_of(state).values())
        if not self.model.disturbed and not given_up:
            expected, got = dict(self._reference.outcome), outcome_of(state)
            if got != expected:
                raise Violation(f"the search ended with {got}, undisturbed with {expected}")

    def _check_weights(self, tuner: ArithmeticTuner, state: Any, trial: str) -> None:
        if trial in self.model.crashed or not state.trials[trial].executions:
            return  # a repair may have lost its epochs
        tuner._models._build = lambda _: training.Arithmetic()
        try:
            model = tuner.load_model(tuner.oracle.get_trial(trial))
        except Exception as error:
            raise Violation(f"the weights of {trial} cannot be loaded: {error!r}") from error
        expected, got = best_weight(state.trials, trial), float(model.variable.value)
        if not math.isclose(got, expected, rel_tol=1e-6):
            raise Violation(f"the weights of {trial} are {got}, and {expected} is right")

    # Laws.

    def _check_live(self, stored: Any) -> None:
        """Check that what is on the disk leads to the state of the process."""
        assert self._live is not None
        live = state_of(self._live)
        if _summary(live) != _summary(stored):
            raise Violation("the state on the disk is not the one of the process")

    def _check_disk(self) -> Any:
        """Check that the search can be loaded, that nothing is lost, and that nobody has it.

        Returns:
            The state that the records lead to.
        """
        state = self._state_on_disk()
        self.model.see(state)
        self._check_lock()
        return state

    def _check_lock(self) -> None:
        """Check that the lock was given back, unless a process searches."""
        if self._in_session:
            return
        with self._no_fault(), self.disk.used_by(self.disk.new_process()):
            store = open_store(None, self._project)
            try:
                store.acquire()
            except ProjectInUseError as error:
                raise Violation(f"nobody searches, and {error}") from None
            store.release()

    def _state_on_disk(self) -> Any:
        """Return the state that the records lead to."""
        with self._no_fault(), self.disk.used_by(self.disk.new_process()):
            recorder = Recorder(training.COST, training.space(self._edited), 0)
            recorder.open_project(self._project)
            if not recorder.exists():
                return recorder.state
            try:
                recorder.load()
            except Exception as error:
                if self._over:
                    raise
                raise Violation(f"the records cannot be loaded: {error!r}") from error
            self._check_reading(recorder.state)
            return recorder.state

    def _check_reading(self, state: Any) -> None:
        """Check that the second reader of the records knows the same trials."""
        if search_data is None:
            return
        read = ProjectReader(self._project).data()
        state.recover()
        if repr(read.trials) != repr(search_data(state, name=PROJECT, seconds=0.0).trials):
            raise Violation("`kt_extras.load` reads other trials than the search knows")

    def _salvage(self) -> None:
        """Repair a damaged journal, and go on with what that saves."""
        with self._no_fault(), self.disk.used_by(self.disk.new_process()):
            done = repair(self._project, objective=training.COST)
        self._end_process()
        self._over, model = False, self.model
        harmed = {*done.lost_trials, *done.incomplete_trials}
        model.ends = {name: end for name, end in model.ends.items() if name not in harmed}
        model.recorded, model.clock = {}, 0.0
        model.polluted |= harmed
        model.crashed |= harmed
        model.disturbed, model.queue, model.repaired = True, None, True
        if done.settings_lost:
            model.seed, model.seed_lost = None, True
        self._check_disk()

    @contextlib.contextmanager
    def _no_fault(self) -> Iterator[None]:
        """Let the disk work for a check."""
        fault, room = self.disk.fault, self.disk.room
        self.disk.fault = self.disk.room = None
        try:
            yield
        finally:
            self.disk.fault, self.disk.room = fault, room

    @property
    def _disk_fails(self) -> bool:
        return self.disk.failed

    @property
    def _reference(self) -> Reference:
        assert self.model.seed is not None
        return self._references[self.model.seed]


def _damaged(lines: list[bytes], how: str, place: int) -> list[bytes]:
    """Return the lines of a journal after a damage at one of them."""
    before, line, after = lines[:place], lines[place], lines[place + 1 :]
    text = line.partition(b" ")[2]
    if how == "drop":
        return [*before, *after]
    if how == "double":
        return [*before, line, line, *after]
    if how == "swap":
        return [*before, after[0], line, *after[1:]]
    if how == "flip":
        return [*before, line[:-3] + bytes([line[-3] ^ 4]) + line[-2:], *after]
    text = b"[" * 99_999 if how == "deep" else b'{"kind":"unheard"}'
    return [*before, b"%08x %b" % (zlib.crc32(text), text), *after]


def state_of(tuner: ArithmeticTuner) -> Any:
    """Return the state of a search as its process has it."""
    return tuner.oracle._state


def outcome_of(state: Any) -> dict[str, End]:
    """Return how each trial stands."""
    return {
        name: End(record.state.value, record.trial.score, record.trained)
        for name, record in state.trials.items()
    }


def _summary(state: Any) -> list[Any]:
    """Return all that is known of a search, except which trials wait, which a reload decides."""
    records = [to_record(event) for event in snapshot_events(state)]
    for record in records:
        record.pop("waiting", None)
        record.pop("format", None)
        record.pop("n", None)
    return records


def drawn_seed(number: int) -> int:
    """Return the seed that an oracle draws after `random.seed(number)`."""
    return random.Random(number).randrange(2**31)


@functools.cache
def undisturbed(kind: str, seed: int) -> Reference:
    """Return how a search ends that nobody disturbs."""
    begins = set()

    def at(what: str, trial: str, epoch: int = 0) -> None:
        if what == "training":
            begins.add((trial, epoch))

    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, _quiet(), training.installed():
        tuner = tuner_in(Path(folder), kind, at, seed=seed)
        tuner.search(verbose=0, **({} if tuner.oracle.scheduler else {"epochs": training.EPOCHS}))
        return Reference(outcome_of(state_of(tuner)), frozenset(begins))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def collect_garbage() -> None:
    """Free what histories have left; all that is older is left alone, which is much faster."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    gc.collect()


def violation_of(history: History, folder: Path) -> str | None:
    """Run a history; return which law it breaks, None if it breaks none."""
    return Runner(history, folder).violation()
