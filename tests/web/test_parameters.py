"""Reading queries strictly."""

from __future__ import annotations

import pytest

from ordermill.core.errors import Invalid
from ordermill.web.parameters import bounds, choice, flag, read_moment, read_query, span, text, whole

KNOWN = (
    text("name", ""),
    choice("colour", "", ("red", "blue"), many=True),
    whole("count", "", 1, 10),
    flag("ready", ""),
    *span("made", "things"),
)


def test_values_are_read_by_what_was_declared() -> None:
    pairs = [("colour", "red"), ("count", "7"), ("colour", "blue"), ("ready", "true"), ("name", "à b")]
    assert read_query(pairs, KNOWN) == {"colour": ("red", "blue"), "count": 7, "ready": True, "name": "à b"}


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("colr", "red")], "unknown_parameter"),
        ([("count", "1"), ("count", "2")], "repeated"),
        ([("count", "11")], "invalid_value"),
        ([("count", "-1")], "invalid_value"),
        ([("count", "٣")], "invalid_value"),
        ([("ready", "1")], "invalid_value"),
        ([("name", "")], "invalid_value"),
        ([("name", "a\0")], "invalid_value"),
        ([("name", "x" * 256)], "invalid_value"),
        ([("madeSince", "2026-13-01")], "invalid_value"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_name(pairs: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(pairs, KNOWN)
    assert refused.value.problems[0].code == code
    assert refused.value.field == pairs[0][0]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        read_query([("a", "1"), ("count", "x")], (*KNOWN, text("wanted", "", required=True)))
    assert [problem.code for problem in refused.value.problems] == ["unknown_parameter", "invalid_value", "required"]


@pytest.mark.parametrize(
    ("said", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01T01:00 01:00", 0),
        ("1970-01-01 00:00:00.000001Z", 1),
        ("0001-01-01", -62_135_596_800_000_000),
    ],
)
def test_instants_have_one_meaning(said: str, micros: int) -> None:
    assert read_moment(said) == micros


@pytest.mark.parametrize(
    "said",
    ["", "now", "2026-02-30", "2026-01-01T00:00:00", "20260101", "2026-W01-1", "0001-01-01T00:00+01:00", "٢026-01-01"],
)
def test_what_has_no_one_meaning_is_no_instant(said: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be|is no) "):
        read_moment(said)


def test_since_includes_and_until_does_not() -> None:
    asked = read_query([("madeSince", "1970-01-02"), ("madeUntil", "1970-01-03")], KNOWN)
    assert bounds(asked, "made") == (86_400_000_000 - 1, 2 * 86_400_000_000)
    assert bounds({}, "made") == (None, None)
