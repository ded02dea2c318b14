"""Plots of scores, as Matplotlib figures without a window.

Of a multi-class or multi-label problem every class is drawn against the rest, up to the ninth.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration.confusion import confusion_matrix
from kt_extras.calibration.reliability import Judged, Reliability, reliability
from kt_extras.calibration.sample import Kind, Sample

_MAX_CLASSES = 9
_MAX_LABELLED = 12  # classes up to which a confusion matrix shows its numbers


def require_matplotlib() -> None:
    """Raise if Matplotlib is not installed.

    Raises:
        ModuleNotFoundError: It says what to install.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Drawing pictures needs Matplotlib; run `pip install matplotlib`.", name=error.name
        ) from error


def precision_recall_picture(sample: Sample, decisions: IntArray) -> Any:
    """Draw precision against recall at all thresholds, and where the decisions are.

    Args:
        sample: Labels and scores.
        decisions: Numbers of classes, shape ``(n,)``; 0 or 1, shape ``(n, k)``, if multi-label.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = _figure(1, 1)
    axes = figure.subplots()
    for name, truth, scores, decided in _one_vs_rest(sample, decisions):
        if not truth.any():
            continue
        about = {"sample_weight": sample.weights}
        precision, recall, _ = precision_recall_curve(truth, scores, **about)
        area = average_precision_score(truth, scores, **about)
        (line,) = axes.step(recall, precision, where="post", label=f"{name}: area {area:.3f}")
        hits = sample.weights @ (truth & decided)
        if decided.any():
            place = hits / (sample.weights @ truth), hits / (sample.weights @ decided)
            axes.plot(*place, "o", color=line.get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.set_title("Precision and recall\ndots: at the thresholds", fontsize="medium")
    axes.legend(loc="lower left", fontsize="small")
    return figure


def reliability_picture(before: Sample, after: Sample) -> Any:
    """Draw how often it happens against how often it was predicted, before and after calibration.

    Args:
        before: Labels and probabilities.
        after: The same labels and calibrated probabilities.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    figure = _figure(1, 1)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for name, sample in (("before", before), ("after", after)):
        curve = _all_curves(sample)
        axes.plot(curve.predicted, curve.observed, "o-", label=f"{name}: error {curve.error:.3f}")
    axes.set(xlabel="predicted probability", ylabel="observed frequency")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title("Reliability before\nand after calibration", fontsize="medium")
    axes.legend(loc="upper left", fontsize="small")
    return figure


def scores_picture(sample: Sample, thresholds: FloatArray) -> Any:
    """Draw the scores of each class's own rows and of the others, with the threshold.

    Args:
        sample: Labels and probabilities.
        thresholds: Shape ``()`` or ``(k,)``; those of a multi-class problem compare scores with
            each other and have no place on their axis.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    columns = _one_vs_rest(sample, np.zeros_like(sample.labels))
    figure, panels = _panels(len(columns))
    bins = np.linspace(0, 1, 31)
    lines = np.broadcast_to(thresholds, (len(sample.scores[0]) if sample.scores.ndim > 1 else 1,))
    for axes, (name, truth, scores, _), threshold in zip(panels, columns, lines, strict=False):
        for which, label in ((~truth, "negative"), (truth, "positive")):
            if not which.any():
                continue
            weights = sample.weights[which]
            how = {"histtype": "stepfilled", "density": True, "alpha": 0.6, "label": label}
            axes.hist(scores[which], bins, weights=weights, **how)
        title = f"Scores, {name}"
        if sample.kind is not Kind.MULTI_CLASS:
            axes.axvline(threshold, color="black")
            title = f"{title}\nthreshold {threshold:.3f}"
        axes.set_title(title, fontsize="small" if len(columns) > 1 else "medium")
        axes.set(xlim=(0, 1), ylabel="density" if len(columns) == 1 else None)
    panels[0].legend(fontsize="small")
    return figure


def confusion_picture(sample: Sample, decisions: IntArray) -> Any:
    """Draw the confusion matrix; colours are fractions of the true class.

    Args:
        sample: Labels and scores.
        decisions: Numbers of classes, shape ``(n,)``; 0 or 1, shape ``(n, k)``, if multi-label.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    if sample.kind is Kind.MULTI_LABEL:
        pairs = list(zip(sample.labels.T, decisions.T, strict=True))[:_MAX_CLASSES]
        matrices = [confusion_matrix(truth, made, sample.weights, 2) for truth, made in pairs]
    else:
        n_classes = 2 if sample.scores.ndim == 1 else sample.scores.shape[1]
        matrices = [confusion_matrix(sample.labels, decisions, sample.weights, n_classes)]
    figure, panels = _panels(len(matrices))
    for k, (axes, matrix) in enumerate(zip(panels, matrices, strict=True)):
        _draw_matrix(axes, matrix)
        label = f", label {k}" if len(matrices) > 1 else ""
        axes.set_title(f"Decisions{label}", fontsize="medium")
    return figure


def png(figure: Any) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _figure(rows: int, columns: int) -> Any:
    require_matplotlib()
    from matplotlib.figure import Figure

    # Small in inches and fine in dots, so that the letters are large enough for a thumbnail.
    size = (3.3, 2.7) if rows == columns == 1 else (1.9 * columns, 1.7 * rows)
    return Figure(figsize=size, dpi=150, layout="tight")


def _panels(count: int) -> tuple[Any, list[Any]]:
    columns = int(np.ceil(np.sqrt(count)))
    rows = int(np.ceil(count / columns))
    figure = _figure(rows, columns)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[count:]:
        unused.set_axis_off()
    return figure, panels[:count]


def _one_vs_rest(sample: Sample, decisions: IntArray) -> list[tuple[str, Any, Any, Any]]:
    """Return name, truth, scores and decisions of each class that is drawn."""
    if sample.kind is Kind.BINARY:
        return [("positive", sample.labels == 1, sample.scores, decisions == 1)]
    columns = enumerate(sample.scores.T[:_MAX_CLASSES])
    if sample.kind is Kind.MULTI_LABEL:
        return [
            (f"label {k}", sample.labels[:, k] == 1, scores, decisions[:, k] == 1)
            for k, scores in columns
        ]
    return [(f"class {k}", sample.labels == k, scores, decisions == k) for k, scores in columns]


def _all_curves(sample: Sample) -> Reliability:
    """Return the bins; those of all labels together if multi-label."""
    if sample.kind is Kind.MULTI_LABEL:
        n_labels = sample.labels.shape[1]
        sample = Sample(
            Kind.BINARY,
            sample.labels.ravel(),
            sample.scores.ravel(),
            np.repeat(sample.weights, n_labels),
        )
    of: Judged = "positive" if sample.kind is Kind.BINARY else "predicted"
    (curve,) = reliability(sample, of=of)
    return curve


def _draw_matrix(axes: Any, matrix: FloatArray) -> None:
    sizes = matrix.sum(axis=1, keepdims=True)
    fractions = np.divide(matrix, sizes, out=np.zeros_like(matrix), where=sizes > 0)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="decision", ylabel="truth")
    if len(matrix) > _MAX_LABELLED:
        return
    axes.set(xticks=range(len(matrix)), yticks=range(len(matrix)))
    for (row, column), weight in np.ndenumerate(matrix):
        dark = fractions[row, column] > 0.5
        axes.text(
            column,
            row,
            f"{weight:.4g}",
            color="white" if dark else "black",
            ha="center",
            va="center",
            fontsize="small",
        )
