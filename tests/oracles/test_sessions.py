"""Sessions: nothing is written outside of one, and the lock is given back however one ends."""

import errno
import gc
import json
import warnings

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.records.events import EpochReported, to_record
from kt_extras.records.snapshot import snapshot_events
from kt_extras.storage import StorageError
from kt_extras.storage.journal import Journal
from kt_extras.storage.lock import ProjectInUseError
from tests.records.faulty_store import faulty

COST = keras_tuner.Objective("cost", "min")


def nothing(trial):
    pass


def space(high=1.0):
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, high)
    return hp


def oracle_in(directory, high=1.0, reload=True, make=kte.SamplerOracle, **kwargs):
    samplers = [kte.samplers.Random()] if make is kte.SamplerOracle else []
    settings = {"objective": COST, "max_trials": 20, "seed": 0, "hyperparameters": space(high)}
    oracle = make(*samplers, **{**settings, **kwargs})
    oracle._set_project_dir(str(directory), "project")
    if reload and oracle.is_recorded():
        oracle.reload()
        oracle.redeclare(space(high))
    return oracle


def run(oracle, costs=(1.0,), worker="worker"):
    trial = oracle.create_trial(worker)
    for step, cost in enumerate(costs):
        oracle.update_trial(trial.trial_id, {"cost": cost}, step)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    return oracle.trial_record(trial.trial_id)


def files_in(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def journal(directory):
    text = (directory / "project" / "journal.jsonl").read_text()
    return [json.loads(line.partition(" ")[2]) for line in text.splitlines()]


class Search(kte.Tuner):
    """Searches for the lowest `x`; `hook` is called in each trial."""

    def __init__(self, directory, hook=nothing, high=1.0, **kwargs):
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=COST, seed=0, max_trials=3, hyperparameters=space(high)
        )
        self.hook = hook
        super().__init__(oracle, directory=str(directory), project_name="project", **kwargs)

    def run_trial(self, trial):
        self.hook(trial)
        return {"cost": trial.hyperparameters.get("x")}


# Nothing is written or removed outside a session.


def test_a_reader_with_an_edited_space_writes_nothing(tmp_path):
    searching = oracle_in(tmp_path)
    searching.open_session()
    run(searching)
    before = files_in(tmp_path)
    reader = oracle_in(tmp_path, high=2.0)
    assert reader.space.dimensions[0].high == 2.0
    assert len(reader.trial_records()) == 1
    reader.note_model("another model")
    assert files_in(tmp_path) == before
    assert run(searching).trial.score == 1.0


def test_a_space_that_was_declared_anew_is_written_when_the_session_begins(tmp_path):
    run(oracle_in(tmp_path))
    oracle = oracle_in(tmp_path, high=2.0)
    records = len(journal(tmp_path))
    oracle.open_session()
    (written,) = journal(tmp_path)[records:]
    assert (written["kind"], written["anew"]) == ("space", True)
    assert written["hyperparameters"]["space"][0]["config"]["max_value"] == 2.0
    run(oracle)
    oracle.close_session()
    oracle.open_session()
    assert [event["kind"] for event in journal(tmp_path)[records:]].count("space") == 1


def test_what_another_process_wrote_comes_before_what_is_declared_here(tmp_path):
    run(oracle_in(tmp_path))
    oracle = oracle_in(tmp_path, high=2.0)
    other = oracle_in(tmp_path)
    other.open_session()
    run(other)
    other.close_session()
    oracle.open_session()
    assert len(oracle.trial_records()) == 2
    assert oracle.space.dimensions[0].high == 2.0
    oracle.close_session()
    again = oracle_in(tmp_path, high=2.0)
    assert again.redeclare(space(2.0)) == []
    assert len(again.trial_records()) == 2


def test_a_hyperparameter_added_by_hand_stays_when_others_change(tmp_path):
    run(oracle_in(tmp_path))
    oracle = oracle_in(tmp_path, high=2.0)
    oracle.hyperparameters.Choice("added", [1, 2])
    assert "added" in oracle.space.names
    oracle.open_session()
    assert set(oracle.create_trial("worker").hyperparameters.values) == {"x", "added"}


def test_a_point_is_queued_at_once_without_a_session(tmp_path):
    oracle = oracle_in(tmp_path)
    oracle.enqueue({"x": 0.25})
    assert [event["kind"] for event in journal(tmp_path)] == ["project", "space", "enqueue"]
    other = oracle_in(tmp_path)
    other.open_session()
    assert other.create_trial("worker").hyperparameters.values == {"x": 0.25}


def test_no_point_is_queued_while_another_oracle_searches(tmp_path):
    searching, reader = oracle_in(tmp_path), oracle_in(tmp_path)
    searching.open_session()
    run(searching)
    before = files_in(tmp_path)
    with pytest.raises(ProjectInUseError, match="is in use"):
        reader.enqueue({"x": 0.25})
    assert files_in(tmp_path) == before
    run(searching)


def test_a_reader_with_fewer_trials_removes_no_states(tmp_path):
    def with_states(max_trials):
        oracle = kte.ASHAOracle(
            COST, max_epochs=9, max_trials=max_trials, sampler="random", hyperparameters=space()
        )
        oracle.restore_states()
        oracle._set_project_dir(str(tmp_path), "project")
        if oracle.is_recorded():
            oracle.reload()
        return oracle

    searching = with_states(27)
    searching.open_session()
    for cost in (0.1, 0.2, 0.3):
        trial = searching.create_trial("worker")
        searching.update_trial(trial.trial_id, {"cost": cost}, 0)
        trial.status = "STOPPED"
        state = tmp_path / "project" / f"trial_{trial.trial_id}" / "state-00001.npz"
        state.write_bytes(b"state")
        searching.end_trial(trial)
    before = files_in(tmp_path)
    assert sum(path.suffix == ".npz" for path in before) == 3
    reader = with_states(3)
    assert files_in(tmp_path) == before
    searching.close_session()
    reader.open_session()
    assert sum(path.suffix == ".npz" for path in files_in(tmp_path)) < 3


def test_records_in_a_database_are_taken_up_without_the_projects_folder(tmp_path):
    pytest.importorskip("sqlalchemy")
    storage = f"sqlite:///{tmp_path}/runs.db"
    before = Search(tmp_path / "here", storage=storage)
    before.search(verbose=0)
    after = Search(tmp_path / "there", storage=storage, high=0.01, resume="must")
    assert after.results() == before.results()
    assert not (tmp_path / "there").exists()
    after.oracle.max_trials = 5
    after.search(verbose=0)
    assert [row["x"] <= 0.01 for row in after.results()[3:]] == [True, True]


# However a session ends.


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("fails", ["before", "after"])
def test_the_lock_is_given_back_when_giving_back_the_trial_fails_too(tmp_path, error, fails):
    tuner = Search(tmp_path, lambda trial: broken(trial))
    store = faulty(tuner.oracle)

    def broken(trial):
        store.fails, store.error = fails, error
        raise keras_tuner.errors.FatalError("the first error")

    with pytest.raises((keras_tuner.errors.FatalError, KeyboardInterrupt)) as raised:
        tuner.search(verbose=0)
    assert isinstance(error, KeyboardInterrupt) or "the first error" in str(raised.value)
    tuner.hook = nothing
    tuner.search(verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"] * 3
    Search(tmp_path).search(verbose=0)


@pytest.mark.parametrize("fails", ["before", "after"])
@pytest.mark.parametrize("kind", ["create", "end"])
def test_the_same_tuner_goes_on_after_a_record_that_could_not_be_written(tmp_path, kind, fails):
    tuner = Search(tmp_path)
    store = faulty(tuner.oracle)
    append = type(store).append

    class Once(type(store)):
        def append(self, record, *, sync=False):
            if record["kind"] == kind and record.get("trial") == "0001":
                self.fails, self.__class__ = fails, type(store).__mro__[1]
            append(self, record, sync=sync)

    store.__class__ = Once
    with pytest.raises(OSError, match="No space left"):
        tuner.search(verbose=0)
    tuner.search(verbose=0)
    states = [row["state"] for row in tuner.results()]
    assert states == ["completed"] * 3
    assert [r["state"] for r in Search(tmp_path).results()] == states
    ends = [event["trial"] for event in journal(tmp_path) if event["kind"] == "end"]
    assert ends == ["0000", "0001", "0002"]


@pytest.mark.parametrize("interrupted", ["_show", "_sync_space", "update_space"])
def test_a_trial_is_run_again_that_an_interrupt_has_kept_from_its_worker(
    tmp_path, monkeypatch, interrupted
):
    tuner = Search(tmp_path)
    method, calls = getattr(tuner.oracle, interrupted), []

    def interrupt_once(*args, **kwargs):
        calls.append(method(*args, **kwargs))
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(tuner.oracle, interrupted, interrupt_once)
    with pytest.raises(KeyboardInterrupt):
        tuner.search(verbose=0)
    tuner.search(verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"] * 3
    assert tuner.oracle.end_order == ["0000", "0001", "0002"]


def test_nothing_is_written_after_a_record_that_could_not_be_written(tmp_path):
    oracle = oracle_in(tmp_path)
    store = faulty(oracle)
    oracle.open_session()
    trial = oracle.create_trial("worker")
    store.fails = "after"
    with pytest.raises(OSError, match="No space left"):
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, 0)
    before = files_in(tmp_path)
    with pytest.raises(StorageError, match=r"Nothing more is written.*Search again"):
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, 1)
    assert files_in(tmp_path) == before
    oracle.open_session()
    assert oracle.create_trial("worker").trial_id == trial.trial_id
    assert oracle.trial_record(trial.trial_id).attempt == 2


def search_on_a_full_disk(directory, lasting):
    """As a new process: the second epoch cannot be written."""
    oracle = oracle_in(directory)
    store = faulty(oracle)
    with oracle.session("worker"):
        assert oracle.create_trial("worker").trial_id == "0000"
        oracle.update_trial("0000", {"cost": 1.0}, 0)
        store.fails, store.lasting = "before", lasting
        oracle.update_trial("0000", {"cost": 0.5}, 1)


@pytest.mark.parametrize("lasting", [False, True])
def test_a_disk_that_is_full_again_and_again_is_no_death(tmp_path, lasting):
    """Giving back the trial fails, too."""
    for _ in range(6):
        with pytest.raises(OSError, match="No space left"):
            search_on_a_full_disk(tmp_path, lasting)
    oracle = oracle_in(tmp_path)
    with oracle.session("worker"):
        record = run(oracle)
    assert (record.trial.trial_id, record.state, record.attempt) == ("0000", "completed", 1)
    assert (tmp_path / "project" / "trial_0000" / "trial.json").exists()


def test_a_death_between_full_disks_counts(tmp_path):
    for death in (True, False, True):
        oracle = oracle_in(tmp_path)
        store = faulty(oracle)
        oracle.open_session()
        oracle.create_trial("worker")
        store.fails = "before"
        if not death:
            with pytest.raises(OSError, match="No space left"):
                oracle.abandon("worker")
        oracle.close_session()
    oracle = oracle_in(tmp_path)
    oracle.open_session()
    oracle.create_trial("worker")
    assert oracle.trial_record("0000").attempt == 3


def test_a_trial_of_another_machine_is_not_taken_to_be_given_back(tmp_path):
    storage = f"sqlite:///{tmp_path}/runs.db"
    for machine in ("one", "two"):
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=COST, max_trials=20, seed=0, hyperparameters=space()
        )
        oracle.use_storage(storage)
        oracle._set_project_dir(str(tmp_path / machine), "project")
        if oracle.is_recorded():
            oracle.reload()
        oracle.open_session()
        oracle.create_trial("worker")
        oracle.close_session()
    assert oracle.trial_record("0000").attempt == 2


def test_a_finished_trial_is_not_given_back(tmp_path):
    oracle = oracle_in(tmp_path)
    oracle.open_session()
    record = run(oracle)
    oracle.ongoing_trials["worker"] = record.trial
    with pytest.raises(ValueError, match="`trial` must be running"):
        oracle.abandon("worker")
    assert oracle_in(tmp_path).trial_record("0000").state == "completed"


def test_a_session_that_cannot_begin_holds_no_lock(tmp_path):
    run(oracle_in(tmp_path))
    gc.collect()
    other = oracle_in(tmp_path, objective=keras_tuner.Objective("profit", "max"), reload=False)
    with pytest.raises(ValueError, match="`objective` is now"):
        other.open_session()
    oracle_in(tmp_path).open_session()


def test_the_files_of_kerastuner_are_not_needed(tmp_path):
    oracle = oracle_in(tmp_path)
    oracle.open_session()
    (tmp_path / "project").mkdir()
    for number in range(2):
        (tmp_path / "project" / f"trial_000{number}").write_text("in the way")
    with pytest.warns(UserWarning, match=r"trial.json cannot be written"):
        run(oracle)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        assert run(oracle).state == "completed"


# Oracles that are driven by a tuner of KerasTuner, or by hand.


def test_an_oracle_that_is_driven_by_hand_holds_the_lock(tmp_path):
    oracle = oracle_in(tmp_path)
    run(oracle)
    another = Journal(tmp_path / "project" / "journal.jsonl")  # as another process has it
    with pytest.raises(ProjectInUseError):
        another.acquire()
    run(oracle)
    oracle.close_session()
    another.acquire()
    with pytest.raises(ProjectInUseError):
        run(oracle)
    another.release()
    assert run(oracle).trial.trial_id == "0002"


def test_a_new_oracle_takes_the_project_from_one_of_the_same_process(tmp_path):
    before = oracle_in(tmp_path)
    run(before)
    after = oracle_in(tmp_path)
    run(after)
    with pytest.raises(ProjectInUseError, match="another oracle of this process"):
        run(before)
    before.reload()
    assert run(before).trial.trial_id == "0002"


def test_a_search_is_not_taken_from_a_tuner_by_the_next_one(tmp_path):
    def second(trial):
        with pytest.raises(ProjectInUseError):
            Search(tmp_path).search(verbose=0)

    tuner = Search(tmp_path, second)
    tuner.search(verbose=0)
    assert len(tuner.results()) == 3


def test_a_worker_that_begins_anew_begins_its_trial_anew(tmp_path):
    oracle = oracle_in(tmp_path)
    first = oracle.create_trial("worker")
    assert oracle.create_trial("worker") is first  # as the workers of one cluster do
    for step, cost in enumerate([5.0, 4.0]):
        oracle.update_trial(first.trial_id, {"cost": cost}, step)
    record = run(oracle, [5.0, 4.0, 1.0])
    assert (record.trial.trial_id, record.trial.score, record.attempt) == ("0000", 1.0, 2)
    assert (record.epochs, oracle.totals.epochs) == (3, 3)
    assert oracle_in(tmp_path).trial_record("0000").trial.score == 1.0


def test_a_resumed_trial_goes_on_from_its_pause_for_a_new_worker():
    oracle = kte.ASHAOracle(
        COST, max_epochs=3, sampler="random", max_trials=3, hyperparameters=space(), seed=0
    )
    for cost in (0.1, 0.2, 0.3):
        trial = oracle.create_trial("worker")
        oracle.update_trial(trial.trial_id, {"cost": cost}, 0)
        trial.status = "STOPPED"
        oracle.end_trial(trial)
    resumed = oracle.create_trial("worker")
    oracle.update_trial(resumed.trial_id, {"cost": 0.09}, 1)
    again = oracle.create_trial("worker")
    assert again.trial_id == resumed.trial_id
    for step in (1, 2):
        oracle.update_trial(again.trial_id, {"cost": 0.05}, step)
    again.status = "COMPLETED"
    oracle.end_trial(again)
    record = oracle.trial_record(again.trial_id)
    assert (record.state, record.trial.score, record.epochs) == ("completed", 0.05, 3)
    assert oracle.totals.epochs == 5


def test_a_trial_whose_worker_dies_again_and_again_is_given_up():
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=COST, max_trials=3, hyperparameters=space(), seed=0
    )
    for _ in range(5):
        trial = oracle.create_trial("worker")
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, 0)
    assert trial.trial_id == "0001"
    assert oracle.trial_record("0000").state == "failed"


# Budgets and queued points.


def test_epochs_of_an_attempt_that_died_do_not_count(tmp_path):
    oracle = oracle_in(tmp_path, max_total_epochs=4)
    run(oracle, [1.0, 1.0])
    trial = oracle.create_trial("worker")
    for step in range(2):
        oracle.update_trial(trial.trial_id, {"cost": 0.5}, step)
    oracle.close_session()  # killed here
    again = oracle_in(tmp_path, max_total_epochs=4)
    record = run(again, [0.5, 0.5])
    assert (record.trial.trial_id, record.state) == ("0001", "completed")
    assert again.create_trial("worker").status == "STOPPED"
    assert again.totals.epochs == 4


def test_a_queued_point_outside_a_narrowed_range_is_left_out(tmp_path):
    oracle_in(tmp_path).enqueue([{"x": 0.9}, {"x": 0.2}, {"x": 0.8}])
    oracle = oracle_in(tmp_path, high=0.5)
    with pytest.warns(UserWarning, match=r"queued point \{'x': 0.9\} is left out.* 0 to 0.5"):
        trial = oracle.create_trial("one")
    assert trial.hyperparameters.values == {"x": 0.2}
    with pytest.warns(UserWarning, match=r"queued point \{'x': 0.8\} is left out"):
        suggested = oracle.create_trial("two").hyperparameters.values
    plain = oracle_in(tmp_path / "plain", high=0.5)
    plain.create_trial("one")
    assert suggested == plain.create_trial("two").hyperparameters.values
    oracle.close_session()
    assert not oracle_in(tmp_path, high=0.5)._state.enqueued


def test_a_range_that_a_trial_has_found_can_be_declared_anew(tmp_path):
    oracle = oracle_in(tmp_path)
    trial = oracle.create_trial("worker")
    trial.hyperparameters.Int("late", 1, 5)
    oracle.update_trial(trial.trial_id, {"cost": 1.0}, 0)
    oracle.end_trial(trial)
    oracle.close_session()
    again, declared = oracle_in(tmp_path), space()
    declared.Int("late", 1, 50)
    changes = again.redeclare(declared)
    assert len(changes) == 1
    assert "late" in changes[0]
    assert [one.high for one in again.space.dimensions if one.name == "late"] == [50]


@pytest.mark.parametrize("snapshot", [False, True])
def test_points_are_not_enqueued_again_when_the_script_is_run_again(tmp_path, snapshot):
    def begun():
        oracle = oracle_in(tmp_path)
        oracle.enqueue([{"x": 0.25}, {"x": 0.75}])
        oracle.enqueue({"x": 0.5})
        return oracle

    first = begun()
    assert run(first).trial.values == {"x": 0.25}
    if snapshot:
        first._recorder._store.compact(map(to_record, snapshot_events(first._state)))
    first.close_session()
    again = begun()
    again.enqueue({"x": 0.125})
    again.enqueue({"x": 0.125})
    values = [run(again).trial.values["x"] for _ in range(4)]
    assert values == [0.75, 0.5, 0.125, 0.125]
    again.close_session()
    assert not begun()._state.enqueued


def test_queued_points_wait_until_something_is_declared():
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=3, seed=0)
    oracle.enqueue({"x": 0.25})
    first = oracle.create_trial("worker")
    first.hyperparameters.Float("x", 0.0, 1.0)
    oracle.update_trial(first.trial_id, {"cost": 1.0}, 0)
    oracle.end_trial(first)
    assert oracle.create_trial("worker").hyperparameters.values == {"x": 0.25}


def test_a_report_that_cannot_be_leaves_the_search_as_it_is(tmp_path):
    oracle = oracle_in(tmp_path)
    trial = oracle.create_trial("worker")
    before = files_in(tmp_path)
    for step, message in [(-1, "got -1"), (0.5, "got 0.5"), ("0", "got '0'"), (10**9, "999999")]:
        with pytest.raises(ValueError, match=f"`step` must be an integer from 0.*{message}"):
            oracle.update_trial(trial.trial_id, {"cost": 1.0}, step)
    assert files_in(tmp_path) == before
    assert oracle_in(tmp_path).trial_record("0000").executions == []
    assert run(oracle, [1.0]).state == "completed"


def test_a_journal_without_a_record_is_no_search(tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "journal.jsonl").touch()
    oracle = oracle_in(tmp_path, seed=7)
    run(oracle)
    assert (journal(tmp_path)[0]["kind"], journal(tmp_path)[0]["seed"]) == ("project", 7)
    with pytest.raises(ValueError, match="`objective` is now"):
        oracle_in(tmp_path, objective=keras_tuner.Objective("profit", "max"))


def test_no_event_is_kept_in_memory_once_it_is_written(tmp_path):
    def events():
        gc.collect()
        return sum(type(one) is EpochReported for one in gc.get_objects())

    before, oracle = events(), oracle_in(tmp_path)
    run(oracle, costs=(1.0, 2.0, 3.0))
    assert events() <= before
