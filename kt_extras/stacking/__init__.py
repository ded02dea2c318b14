"""Train models of one architecture as one program."""

from kt_extras.stacking.expected_gain import reason_against
from kt_extras.stacking.first_batch import create_variables
from kt_extras.stacking.held_numbers import differ_in_numbers_alone
from kt_extras.stacking.model_stack import ModelStack
from kt_extras.stacking.refusal import NotStackable

__all__ = [
    "ModelStack",
    "NotStackable",
    "create_variables",
    "differ_in_numbers_alone",
    "reason_against",
]
