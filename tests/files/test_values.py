"""What stands in one cell."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordermill.files import values
from ordermill.files.values import Bad, Ways

POINT, COMMA = Ways(), Ways(decimal=",")


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("text", "ways", "number"),
    [
        ("12.50", POINT, "12.50"),
        ("-3", POINT, "-3"),
        ("1,234.50", POINT, "1234.50"),
        ("1'234.50", POINT, "1234.50"),
        ("1 234.50", POINT, "1234.50"),
        ("CHF 12.50", POINT, "12.50"),
        ("$12", POINT, "12"),
        ("12.50 EUR", POINT, "12.50"),
        ("12,50", COMMA, "12.50"),
        ("1.234,50", COMMA, "1234.50"),
        ("12,50 €", COMMA, "12.50"),
        ("7", COMMA, "7"),
    ],
)
def test_numbers_as_people_write_them(text: str, ways: Ways, number: str) -> None:
    assert values.read_decimal(text, ways) == Decimal(number)


@pytest.mark.parametrize("text", ["twelve", "1.2.3", "12,5", "", "NaN", "Infinity", "1e5", "--3", "1,23"])
def test_what_is_no_number_is_told_so(text: str) -> None:
    with pytest.raises(Bad) as bad:
        values.read_decimal(text, POINT)
    assert bad.value.code == "not_a_number"


def test_a_comma_where_a_point_was_meant_is_named() -> None:
    with pytest.raises(Bad, match="not a number") as bad:
        values.read_decimal("12,50", POINT)
    assert "--decimal ," in bad.value.hint


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_a_decimal_written_out_is_read_back_exactly(number: Decimal) -> None:
    text = format(number, "f")
    assert values.read_decimal(text, POINT) == number
    assert values.read_decimal(text.replace(".", ","), COMMA) == number


@pytest.mark.parametrize(
    ("cells", "sign", "proven"),
    [
        (["12.50", "3"], ".", True),
        (["12,50", "1.017,90"], ",", True),
        (["1,234.50"], ".", True),
        (["1,234"], ".", True),  # nothing speaks for a comma as the sign
        (["12,50", "12.50"], ".", False),
        ([], ".", True),
    ],
)
def test_the_decimal_sign_is_found_by_looking(cells: list[str], sign: str, proven: bool) -> None:
    assert values.guess_decimal(cells) == (sign, proven)


@pytest.mark.parametrize(
    ("text", "ways", "instant"),
    [
        ("2026-11-20", POINT, "2026-11-20T00:00"),
        ("2026-11-20 09:30", POINT, "2026-11-20T09:30"),
        ("2026-11-20T09:30:15Z", POINT, "2026-11-20T09:30:15"),
        ("2026-11-20 09:30:00 +0100", POINT, "2026-11-20T08:30"),
        ("2026-11-20 09:30", Ways(zone="Europe/Zurich"), "2026-11-20T08:30"),
        ("20.11.2026", POINT, "2026-11-20T00:00"),
        ("20.11.26 7:05", POINT, "2026-11-20T07:05"),
        ("11/20/2026", Ways(date_order="MDY"), "2026-11-20T00:00"),
        ("3/4/2026", POINT, "2026-04-03T00:00"),
        ("3/4/2026", Ways(date_order="MDY"), "2026-03-04T00:00"),
        ("11/20/2026 9:30 PM", Ways(date_order="MDY"), "2026-11-20T21:30"),
        ("2026/11/20", POINT, "2026-11-20T00:00"),
        ("Nov 3, 2026 9:12:40 AM", POINT, "2026-11-03T09:12:40"),
        ("3 Nov 2026", POINT, "2026-11-03T00:00"),
        ("20261120", Ways(date_format="%Y%m%d"), "2026-11-20T00:00"),
        ("1763631000", Ways(date_format="unix"), "2025-11-20T09:30"),
    ],
)
def test_dates_as_people_write_them(text: str, ways: Ways, instant: str) -> None:
    assert values.read_moment(text, ways) == micros(instant)


@pytest.mark.parametrize("text", ["31.11.2026", "2026-02-30", "soon", "20.13.2026", "1.23E+05", "99999-01-01"])
def test_what_is_no_date_is_told_so(text: str) -> None:
    with pytest.raises(Bad) as bad:
        values.read_moment(text, POINT)
    assert bad.value.code == "not_a_date"


def test_the_order_of_day_and_month_is_found_or_called_a_guess() -> None:
    assert values.guess_date_order(["03/04/2026", "13/04/2026"]) == ("DMY", True)
    assert values.guess_date_order(["03/04/2026", "04/13/2026"]) == ("MDY", True)
    assert values.guess_date_order(["03/04/2026"]) == ("DMY", False)
    assert values.guess_date_order(["2026-04-03"]) == ("DMY", True)


def test_formats_in_words_and_in_signs() -> None:
    assert values.date_format("DD.MM.YYYY HH:mm") == "%d.%m.%Y %H:%M"
    assert values.date_format("%d|%m") == "%d|%m"
    with pytest.raises(Bad):
        values.date_format("whenever")


@given(st.text(max_size=20))
def test_what_is_neutralised_for_a_spreadsheet_is_the_same_again_after_import(text: str) -> None:
    if text[:1] == "'":
        return  # a quote of one's own before a formula sign cannot be told from ours
    assert values.un_neutral(values.neutral(text)) == text


def test_formulas_are_neutralised_and_numbers_are_not() -> None:
    assert values.neutral("=SUM(A1:A9)") == "'=SUM(A1:A9)"
    assert values.neutral("@cmd") == "'@cmd"
    assert values.neutral("-12.50") == "-12.50"
    assert values.neutral("+41 44 000") == "'+41 44 000"
    assert values.neutral("plain") == "plain"


def test_a_quote_before_digits_is_the_mark_of_a_spreadsheet() -> None:
    assert values.un_neutral("'8001") == "8001"
    assert values.un_neutral("'t Hart") == "'t Hart"
