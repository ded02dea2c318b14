"""What is written for TensorBoard: the trials, the HParams dashboard and the search's own curves.

Importing this package loads neither TensorFlow nor TensorBoard; writing does.
"""

from kt_extras.tensorboard.board import SearchBoard
from kt_extras.tensorboard.progress import Progress

__all__ = ["Progress", "SearchBoard"]
