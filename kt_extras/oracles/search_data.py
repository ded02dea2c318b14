"""The state of a search as plain data, for plots, importance, reports and exports."""

from __future__ import annotations

from collections.abc import Mapping

from kt_extras.analysis.recorded_trial import decoded, target_values
from kt_extras.analysis.search_data import (
    EvaluationData,
    RepeatData,
    SearchData,
    Takeover,
    Target,
    TrialData,
)
from kt_extras.bridge.metrics import columns
from kt_extras.bridge.metrics import decoded as decoded_metrics
from kt_extras.records.scores import best_metrics
from kt_extras.records.search_state import SearchState
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search.outcome import OutcomeConstraint


def search_data(state: SearchState, *, name: str, seconds: float) -> SearchData:
    """Return the state of a search as data, equal to what its records are read to.

    Args:
        state: The search; not changed.
        name: The project's.
        seconds: How long the search has taken, over all sessions.
    """
    goals, targets, constraints = state.goals, targets_of(state), _constraints(state)
    weights = None
    if goals is not None and goals.weights is not None:
        weights = {t.name: w for t, w in zip(targets, goals.weights, strict=True)}
    return SearchData(
        name=name,
        space=state.history.space,
        objectives=targets,
        trials=tuple(
            _trial_data(record, state, targets, constraints) for record in state.trials.values()
        ),
        constraints=tuple(constraints),
        weights=weights,
        seed=state.seed,
        seconds=seconds,
        model=state.model,
        evaluations=tuple(
            EvaluationData(one.trial, decoded_metrics(one.metrics), one.rows, one.at)
            for one in state.evaluations
        ),
        repeats=tuple(
            RepeatData(
                one.trial,
                one.seed,
                one.epochs,
                decoded_metrics(one.metrics),
                decoded_metrics(one.holdout),
            )
            for one in state.repeats
        ),
    )


def trial_data(record: TrialRecord, state: SearchState) -> TrialData:
    """Return one trial of a search as data.

    Args:
        record: What is known of the trial.
        state: The search; not changed.
    """
    return _trial_data(record, state, targets_of(state), _constraints(state))


def targets_of(state: SearchState) -> tuple[Target, ...]:
    """Return what is searched for."""
    if state.goals is not None:
        return state.goals.objectives
    return (Target(state.objective.name, state.objective.direction),)


def _constraints(state: SearchState) -> Mapping[str, OutcomeConstraint]:
    constraints = () if state.goals is None else state.goals.constraints
    return {str(constraint): constraint for constraint in constraints}


def _trial_data(
    record: TrialRecord,
    state: SearchState,
    targets: tuple[Target, ...],
    constraints: Mapping[str, OutcomeConstraint],
) -> TrialData:
    trial, metrics = record.trial, best_metrics(record, state.objective)
    scored = trial.score is not None
    violations = {text: one.violation(metrics) for text, one in constraints.items()}
    return TrialData(
        number=record.number,
        trial_id=trial.trial_id,
        state=record.state.value,
        values=record.best_values,
        score=trial.score,
        objective_values=target_values(trial.score, metrics, targets),
        violations=violations if scored else {},
        metrics=metrics,
        best_epoch=trial.best_step if scored else None,
        executions=tuple(decoded(columns(run)) for run in record.executions if run),
        epochs=record.epochs,
        began=record.began,
        ended=record.ended,
        seconds=record.seconds,
        worker=record.worker,
        bracket=int(state.history.brackets[record.number]),
        budget=record.epoch_budget,
        takeovers=tuple(
            Takeover(one.epoch, one.parent, dict(one.before), dict(one.after))
            for one in record.exploits
        ),
        message=trial.message,
        attempt=record.attempt,
    )
