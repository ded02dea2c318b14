"""Every bad input of `benchmarks.bad_inputs`, each answered before a trial begins."""

from collections import Counter

import pytest

from benchmarks.bad_inputs import Answer, BadInput, answer, table

TABLE = table()
KINDS = {bad.kind for bad in TABLE}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_bad_input_is_answered_with_argument_rule_and_value(kind, tmp_path):
    lacking = {}
    for number, bad in enumerate(bad for bad in TABLE if bad.kind == kind):
        directory = tmp_path / str(number)
        directory.mkdir()
        found = answer(bad, str(directory))
        if not found.good:
            parts = [name for name in Answer._fields[1:] if not getattr(found, name)]
            lacking[str(bad)] = f"lacks {parts}: {found.error!r}"
    assert not lacking


def test_the_table_has_more_than_300_inputs_of_all_kinds():
    counts = Counter(bad.kind for bad in TABLE)
    assert counts.total() > 300
    assert min(counts.values()) >= 5


def test_an_answer_is_not_good_when_any_part_is_missing(tmp_path):
    def refuse(message, error=ValueError):
        def call(_):
            raise error(message)

        return answer(BadInput("kind", "f", "size", 3, call, "3"), str(tmp_path))

    assert refuse("`size` must be even, got 3.").good
    assert not refuse("size must be even, got 3.").names_argument
    assert not refuse("`size` is wrong, got 3.").states_rule
    assert not refuse("`size` must be even.").shows_value
    assert not refuse("`size` must be even, got 3.", AttributeError).refused
    accepted = answer(BadInput("kind", "f", "size", 3, lambda _: None, "3"), str(tmp_path))
    assert accepted.error is None
    assert not accepted.good
