"""What a search has found, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kt_extras.analysis.html import duration, number
from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.arguments import counted
from kt_extras.plots.data import history


def what_was_searched(search: SearchData) -> str:
    """Return a sentence on the goal and the size of a search."""
    goals = " and ".join(
        f"{'high' if target.direction == 'max' else 'low'} {target.name}"
        for target in search.objectives
    )
    names = len(set(search.space.names))
    sentence = f"The search looked for {goals} over {counted(names, 'hyperparameter')}"
    if search.constraints:
        sentence += f", with {' and '.join(search.constraints)}"
    return f"{sentence}."


def what_was_found(search: SearchData, best: Sequence[TrialData]) -> list[str]:
    """Return sentences on the best trial and on how it was found.

    Args:
        search: The search.
        best: The trials with a score, the best first.
    """
    if not best:
        return [_nothing(search)]
    first = best[0]
    found = ", ".join(f"{name} {number(value)}" for name, value in targets(first, search).items())
    knee = len(search.objectives) > 1 and search.weights is None
    what = "A good compromise is" if knee else "The best is"
    sentences = [f"{what} trial {first.number} with {found}."]
    if first.violation > 0:
        sentences.append("No trial meets the constraints; this one comes closest.")
    elif search.constraints:
        feasible = sum(trial.violation <= 0 for trial in best)
        sentences.append(f"{feasible} of {len(best)} trials with a score meet the constraints.")
    if len(search.objectives) == 1:
        sentences.append(_progress(search))
    return sentences


def targets(trial: TrialData, search: SearchData) -> dict[str, float | None]:
    """Return the values of the objectives in a trial."""
    return {**trial.objective_values} or {search.objective.name: trial.score}


def states(search: SearchData) -> str:
    """Return how many trials there are in each state."""
    counts = Counter(trial.state for trial in search.trials)
    return ", ".join(f"{count} {state}" for state, count in counts.most_common())


def _nothing(search: SearchData) -> str:
    if not search.trials:
        return "No trial has begun yet."
    return f"No trial has a score: {states(search)}."


def _progress(search: SearchData) -> str:
    """Return when the best score was reached, and what came before."""
    best = history(search)["best"]
    at = next((i for i, value in enumerate(best) if value == best[-1]), None)
    if at is None or best[-1] is None:
        return ""
    after = len(best) - 1 - at
    halfway = best[len(best) // 2]
    ended = search.trials[at].ended
    sentence = f"It was reached after {duration(search.seconds if ended is None else ended)}"
    sentence += f"; the {after} trials since then found nothing better" if after > 1 else ""
    if halfway is not None and halfway != best[-1]:
        sentence += f", and half of the trials led to {number(halfway)}"
    return f"{sentence}."
