"""Presets of an account's own: what is kept of a plan, what it fills, which file it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ordermill.core.errors import Invalid
from ordermill.core.presets import NAME_CHARS_MAX, SavedPreset, check_name
from ordermill.files import saved
from ordermill.files.mapping import Plan, presets
from ordermill.files.reading import Reading
from ordermill.files.sniffing import Unusable

MAPPED = {"Auftrag": "reference", "Mail": "identifiers.email", "Summe": "amount", "Notiz": "-"}
SHEET = "Auftrag;Mail;Summe;Notiz\nA-1;ada@example.com;10,50;gift\n"


def kept(plan: Plan, name: str = "Night export", updated_at: int = 1_763_596_800_000_000) -> SavedPreset:
    return SavedPreset(name=name, plan=saved.write_kept(plan), created_at=1, updated_at=updated_at)


def test_every_column_is_kept_whoever_told_it() -> None:
    plan = saved.read_kept(kept(Plan(mapped={"a": "status", "b": "amount"}, columns={"b": "reference"}, preset="x")))
    assert plan == Plan(columns={"a": "status", "b": "reference"})
    from_shopify = saved.read_kept(kept(Plan(preset="shopify", source="erp")))
    assert (from_shopify.columns, from_shopify.source, from_shopify.preset) == (
        presets()["shopify"].columns, "erp", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(columns={"a": "refrence"}), "did you mean reference"),
        (Plan(constants={"stat": "paid"}), "no field 'stat'"),
        (Plan(contract="etsy"), "no contract 'etsy'"),
        (Plan(zone="Mars/Olympus"), "no time zone"),
        (Plan(date_format="tomorrow"), "no date format"),
        (Plan(columns={f"column {n:060}": "-" for n in range(1_000)}), "name fewer columns"),
    ],
)
def test_what_no_file_can_be_read_by_is_not_kept(plan: Plan, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        saved.write_kept(plan)


def test_a_plan_is_filled_and_what_was_told_goes_before() -> None:
    preset = kept(Plan(columns=MAPPED, source="erp", decimal=",", constants={"currency": "EUR", "status": "paid"}))
    plan = saved.fill(Plan(source="shop", columns={"Notiz": "comment"}, constants={"currency": "CHF"}), preset)
    assert (plan.preset, plan.preset_applied, plan.source, plan.decimal) == ("Night export", True, "shop", ",")
    assert (plan.columns, plan.mapped) == ({"Notiz": "comment"}, MAPPED)
    assert plan.constants == {"currency": "CHF", "status": "paid"}
    assert saved.fill(Plan(), kept(plan)).mapped == {**MAPPED, "Notiz": "comment"}


def test_how_a_preset_is_called_does_not_make_it_another_import() -> None:
    one, other = (saved.fill(Plan(), kept(Plan(columns=MAPPED), name)) for name in ("one", "other"))
    assert one.fingerprint("f") == other.fingerprint("f") == Plan(mapped=MAPPED).fingerprint("f")
    assert one.fingerprint("f") != saved.fill(Plan(), kept(Plan(columns=MAPPED, decimal=","))).fingerprint("f")


def test_a_file_is_read_by_the_plan_alone(tmp_path: Path, contracts: Any) -> None:
    """What was filled once needs no ledger any more: the reader may be another process."""
    file = tmp_path / "night.csv"
    file.write_text(SHEET, encoding="utf-8")
    with pytest.raises(Unusable, match="no column was recognised"):
        Reading(file, Plan(), contracts)
    with Reading(file, saved.fill(Plan(), kept(Plan(columns=MAPPED, contract="brevo"))), contracts) as reading:
        found = reading.understood
        assert [(column.path, column.how) for column in found.columns] == [
            ("reference", "preset"), ("identifiers.email", "preset"), ("amount", "preset"), ("", "ignored"),
        ]  # fmt: skip
        assert (found.preset, found.contract) == ("Night export", "brevo")
        assert [piece.draft.reference for piece in reading.pieces(0)] == ["A-1"]


def test_a_file_with_exactly_these_columns_is_recognised(tmp_path: Path) -> None:
    night = kept(Plan(columns=MAPPED))
    newer = kept(Plan(columns=MAPPED, source="x"), "newer", night.updated_at + 1)
    empty = kept(Plan(source="erp"), "for any file")
    assert saved.recognise(["Auftrag", "Mail", "Summe", "Notiz"], [night, empty]) == night
    assert saved.recognise(["notiz", "SUMME", "Mail", "Auftrag", "ordermill_error"], [newer, night]) == newer
    assert saved.recognise(["Auftrag", "Mail", "Summe"], [night]) is None
    assert saved.recognise(["Auftrag", "Mail", "Summe", "Notiz", "Farbe"], [night]) is None
    assert saved.recognise([], [empty]) is None
    assert saved.told(night) == "mapped as “Night export”, saved 20 Nov 2025"
    file = tmp_path / "x.csv"
    for text, header in ((SHEET, tuple(MAPPED)), ('{"order_id":"1"}\n', ()), ("", ()), ("1;2\n3;4\n", ())):
        file.write_text(text, encoding="utf-8")
        assert saved.read_header(file) == header


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "needs a name"), (" \t ", "needs a name"), ("x" * (NAME_CHARS_MAX + 1), "81 characters"),
        ("a\nb", "control"), ("a\u202eb", "control"), ("a\ud800", "control"), ("a/b", "slash"), ("..", "dots"),
    ],
)  # fmt: skip
def test_names_that_are_none(said: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        check_name(said)
    assert refused.value.field == "name"
    assert refused.value.hint


def test_blanks_around_a_name_are_no_part_of_it() -> None:
    assert check_name("  Nächtlicher Export #1 ✓ ") == "Nächtlicher Export #1 ✓"
    assert check_name("x" * NAME_CHARS_MAX)
