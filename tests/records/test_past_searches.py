"""Earlier searches of every kind, read for a warm start."""

import json

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.records.past_searches import past_sources
from kt_extras.search import Float, Space

LOSS = keras_tuner.Objective("loss", "min")
SCORES = {0.1: 0.5, 0.2: 0.25, 0.3: 0.75}


def read(*given, objective=LOSS):
    (source,) = past_sources(list(given))
    return source.read(objective)


def best_first(past):
    """Return the values of `x` with their ranks."""
    return [(point["x"], rank) for point, rank in zip(past.points, past.ranks, strict=True)]


class Scored(kte.Tuner):
    """Scores what `SCORES` has."""

    def run_trial(self, trial):
        return SCORES[trial.hyperparameters.Choice("x", list(SCORES))]


def searched(directory, **kwargs):
    """Return the path of a project in which all of `SCORES` were tried."""
    oracle = kte.SamplerOracle(kte.samplers.Random(), seed=0)
    tuner = Scored(oracle, directory=directory, project_name="old", **kwargs)
    tuner.search(verbose=0)
    return directory / "old"


def test_our_own_project_is_read_from_its_directory(tmp_path):
    assert best_first(read(searched(tmp_path))) == [(0.2, 0.0), (0.1, 0.5), (0.3, 1.0)]


def test_what_load_returns_is_read_like_the_directory(tmp_path):
    path = searched(tmp_path)
    past = read(kte.load(tmp_path, "old"))
    assert best_first(past) == best_first(read(path))
    assert past.source == read(path).source


def test_our_own_project_is_read_from_a_database(tmp_path):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = f"sqlite:///{tmp_path}/runs.db"
    searched(tmp_path, storage=url)
    past = read((url, "old"))
    assert best_first(past) == [(0.2, 0.0), (0.1, 0.5), (0.3, 1.0)]
    assert past.source == read(kte.load(tmp_path, "old", storage=url)).source
    with pytest.raises(FileNotFoundError, match="in a database pass a pair of its URL"):
        read(tmp_path / "old")  # where each trial has a file for KerasTuner's readers
    with pytest.raises(FileNotFoundError, match="'new' is neither"):
        read((url, "new"))
    tables = sqlalchemy.inspect(sqlalchemy.create_engine(url)).get_table_names()
    assert all(name.startswith("kte_") for name in tables)
    with pytest.raises(FileNotFoundError, match="'old' is neither"):
        read((f"sqlite:///{tmp_path}/other.db", "old"))
    assert not (tmp_path / "other.db").exists()


class Theirs(keras_tuner.RandomSearch):
    """KerasTuner's own search, of a metric that is maximised."""

    def run_trial(self, trial, **kwargs):
        score = SCORES[trial.hyperparameters.Choice("x", list(SCORES))]
        return {"val_quality": score, "val_other": 0.0}


def test_a_project_of_keras_tuner_is_read_with_its_direction(tmp_path):
    objective = keras_tuner.Objective("val_quality", "max")
    tuner = Theirs(objective=objective, max_trials=3, seed=1, directory=tmp_path, project_name="kt")
    tuner.search(verbose=0)
    past = read(tmp_path / "kt")
    assert best_first(past)[0] == (0.3, 0.0)
    assert len(past.points) == 3
    worst = next(f for f in tmp_path.glob("kt/*/trial.json") if '"x": 0.2' in f.read_text())
    worst.write_bytes(worst.read_bytes()[:40])
    with pytest.warns(UserWarning, match=f"leaves out {worst}, which is damaged"):
        assert [x for x, _ in best_first(read(tmp_path / "kt"))] == [0.3, 0.1]


def test_a_project_of_keras_tuner_without_its_metric_is_refused(tmp_path):
    state = keras_tuner.engine.trial.Trial(
        keras_tuner.HyperParameters(), "0", status="COMPLETED"
    ).get_state()
    folder = tmp_path / "kt" / "trial_0"
    folder.mkdir(parents=True)
    (folder / "trial.json").write_text(json.dumps({**state, "score": 0.5}))
    (tmp_path / "kt" / "oracle.json").touch()
    with pytest.raises(ValueError, match="do not show which metric it was"):
        read(tmp_path / "kt")


class Direction:
    name = "MAXIMIZE"


class Study:
    """What is read of an Optuna study, which need not be installed here."""

    study_name = "digits"
    directions = (Direction,)

    class Trial:
        def __init__(self, x, value, state="COMPLETE", shown=()):
            self.params, self.value = {"x": x}, value
            self.state = type("State", (), {"name": state})
            self.intermediate_values = dict(enumerate(shown))

    def __init__(self):
        self.trials = [
            self.Trial(0.1, 0.5),
            self.Trial(0.2, 0.9),
            self.Trial(0.3, None, "PRUNED", [0.1, 0.6]),
            self.Trial(0.4, None, "FAIL"),
            self.Trial(0.5, None, "RUNNING"),
        ]


def test_an_optuna_study_is_read_whole_trials_first():
    past = read(Study())
    assert [x for x, _ in best_first(past)] == [0.2, 0.1, 0.3, 0.4]
    assert past.source == "Optuna study 'digits'"


def test_an_optuna_study_is_read_from_its_storage(tmp_path):
    optuna = pytest.importorskip("optuna", reason="the extra `bench` is not installed")
    url = f"sqlite:///{tmp_path}/optuna.db"
    study = optuna.create_study(storage=url, study_name="old", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    past = read((url, "old"))
    assert best_first(past) == best_first(read(study))
    with pytest.raises(FileNotFoundError, match="'new' is neither"):
        read((url, "new"))
    assert past.points[0]["x"] == study.best_params["x"]


def test_pairs_are_scores_of_the_new_objective():
    pairs = [({"x": x}, score) for x, score in SCORES.items()]
    maximised = keras_tuner.Objective("quality", "max")
    assert best_first(read(pairs, objective=maximised))[0] == (0.3, 0.0)
    assert best_first(read(*pairs))[0] == (0.2, 0.0)


def test_all_trials_without_a_score_have_the_last_rank():
    nan = float("nan")
    past = read([({"x": 1}, 0.5), ({"x": 2}, nan), ({"x": 3}, nan), ({"x": 4}, 0.25)])
    assert best_first(past) == [(4, 0.0), (1, 0.333333), (2, 1.0), (3, 1.0)]


def test_of_a_long_search_the_best_and_a_part_of_the_others_are_kept():
    past = read([({"x": n}, float(n)) for n in np.random.default_rng(0).permutation(1000).tolist()])
    kept = [point["x"] for point in past.points]
    assert kept[:100] == list(range(100))
    assert (len(kept), kept[-1]) == (200, 999)
    assert all(type(value) is int for value in kept)


def test_values_are_moved_into_a_space_with_other_ranges():
    past = read([({"x": 5.0, "gone": 1}, 0.1), ({"x": 0.5, "y": "a"}, 0.2), ({"y": 1}, 0.3)])
    unit = past.unit(Space([Float("x", 0.0, 1.0)]))
    assert unit[:2].tolist() == [[1.0], [0.5]]
    assert np.isnan(unit[2, 0])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("runs/old", TypeError, r"`warm_start` must be a list .*; pass \['runs/old'\]"),
        ({"x": 1}, TypeError, "`warm_start` must be a list of finished searches"),
        ([3], TypeError, "got 3"),
        ([[]], TypeError, r"got \[\]"),
        (["a", "b", "a"], ValueError, "name each search once, got 'a' twice"),
        (["runs/a", "./runs/../runs/a"], ValueError, "name each search once, got 'runs/a' twice"),
    ],
)
def test_what_names_no_search_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        past_sources(given)


def test_a_search_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no search of kt_extras or KerasTuner"):
        read(tmp_path)


def test_a_search_without_a_score_is_refused():
    with pytest.raises(ValueError, match="has none in 1 trials; leave it out"):
        read([({"x": 1}, float("nan"))])


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:se/cret@db/runs",
        "postgresql://ada:p@secret@db/runs",
        "postgresql://db/runs?user=ada&password=secret",
        "mysql://ada:secret@db/runs",
    ],
)
def test_a_password_is_shown_nowhere_when_a_url_is_given(url):
    pytest.importorskip("sqlalchemy")
    (source,) = past_sources([(url, "old")])
    assert source.name.startswith("'old' in ")
    shown = [source.name]
    for wrong in (url, [url], [(url, "old"), (url, "old")], [(url, 3)], [({"x": url}, "high")]):
        with pytest.raises((TypeError, ValueError)) as caught:
            past_sources(wrong)
        shown.append(str(caught.value))
    assert not any("cret" in text for text in shown)
    assert "got a URL that is not in a pair (URL, name)" in shown[1]


@pytest.mark.parametrize("pair", [tuple, list])
def test_a_url_and_a_name_are_one_search(pair):
    pytest.importorskip("sqlalchemy")
    (source,) = past_sources(pair(["sqlite:///runs.db", "old"]))
    assert source.name == "'old' in sqlite:///runs.db"


def test_a_search_has_one_name_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["runs/old", "./runs/old", tmp_path / "runs/old", "runs/new/../old"]
    assert {past_sources([item])[0].name for item in given} == {"runs/old"}
    assert past_sources(["../old"])[0].name == (tmp_path.parent / "old").as_posix()


def test_an_optuna_study_without_a_name_is_known_by_its_trials():
    one, other = Study(), Study()
    one.study_name, other.study_name = "no-name-1", "no-name-2"
    assert past_sources([one])[0].name == past_sources([other])[0].name
