"""Run the notebooks and store their outputs, without what differs at every run for no reason.

With no arguments all notebooks are run, otherwise those that are named.  It needs what
`tox -e notebooks` needs.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

# As in tox.ini: without a GPU and without the messages of TensorFlow.
QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
FOLDER = Path(__file__).parent.parent / "notebooks"
# Messages of TensorFlow about the machine and about retracing.
NOISE = re.compile(
    r"^(WARNING: All log messages before absl|[IW]0000 |WARNING:tensorflow:.* retracing).*\n",
    re.MULTILINE,
)


def tidied(outputs: list) -> list:
    """Return outputs with one entry for successive texts, and only the last state of a line."""
    kept: list = []
    for output in outputs:
        follows = kept and output.output_type == "stream" == kept[-1].output_type
        if follows and output.name == kept[-1].name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            text = re.sub(r"[^\n]*\r(?!\n)", "", NOISE.sub("", output.text))
            output.text = text
    return [output for output in kept if output.get("text") != ""]


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Remove times from a notebook and tidy its outputs."""
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = tidied(cell.outputs)


def main() -> None:
    """Run and store the notebooks."""
    os.environ.update(QUIET)
    for path in map(Path, sys.argv[1:] or sorted(FOLDER.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": FOLDER}}).execute()
        tidy(notebook)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
