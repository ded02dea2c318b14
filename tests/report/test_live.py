"""What a real notebook shows of a search while it runs."""

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEARCH = """
import keras, numpy, kt_extras as kte

def build(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 1, 8))])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "mse")
    return model

x, y = numpy.ones((32, 2)), numpy.ones((32, 1))
tuner = kte.RandomSearch(build, "val_loss", max_trials=4, seed=0, directory="runs")
tuner.search(x, y, validation_data=(x, y), epochs=2)
"""


def displayed(cell):
    return [o for o in cell.outputs if o.output_type in {"display_data", "execute_result"}]


def test_a_search_is_one_live_table_and_its_tuner_a_summary(tmp_path):
    cells = [SEARCH, "tuner", "tuner.best_trial", "kte.plots.history(tuner)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": tmp_path}}).execute()
    live, tuner, best, history = notebook.cells
    (table,) = displayed(live)
    assert "best score so far" in table.data["text/html"]
    assert table.data["text/html"].count("<tr>") == 1 + 4
    assert "4 trials" in displayed(tuner)[0].data["text/html"]
    assert "Trial " in displayed(best)[0].data["text/html"]
    assert any("image/png" in output.data for output in displayed(history))
