import json

import pytest

from kt_extras.tuners.short_traceback import described


def caught(function, *args):
    try:
        function(*args)
    except Exception as error:
        return described(error).splitlines()


def deep(levels):
    if levels:
        deep(levels - 1)
    raise OSError("labels.csv is not there")


def test_the_innermost_three_places_in_the_users_code_come_first():
    lines = caught(deep, 30)
    assert lines[0] == "OSError: labels.csv is not there"
    assert "test_short_traceback.py, line" in lines[1]
    assert lines[2].strip() == 'raise OSError("labels.csv is not there")'
    assert len(lines) == 7


def test_the_place_in_a_library_comes_last():
    lines = caught(json.loads, "{")
    assert lines[0].startswith("JSONDecodeError")
    assert "test_short_traceback.py" in lines[1]
    assert "json" in lines[-2]


def test_the_beginning_and_the_end_of_a_long_message_are_kept():
    def long():
        raise ValueError("\n".join(["Graph execution error", *["node"] * 500, "shapes differ"]))

    lines = caught(long)
    assert lines[0] == "ValueError: Graph execution error"
    assert "shapes differ" in lines
    assert "... 490 more lines ..." in lines
    assert len(lines) < 20


def test_the_cause_is_named():
    def wrapped():
        try:
            deep(0)
        except OSError as error:
            raise RuntimeError("no data") from error

    assert "because of OSError: labels.csv is not there" in caught(wrapped)


def test_the_type_is_named_when_an_error_has_no_message():
    assert described(ValueError()) == "ValueError:"


@pytest.mark.parametrize("width", [10_000])
def test_a_message_is_shortened_when_its_line_is_long(width):
    assert len(described(ValueError("x" * width))) < 400
