"""What to do about a failed order where its problem brings no hint, and its field in words that people know."""

from __future__ import annotations

import re
from typing import Any

ELSE = "Correct the value and send the order again."
# The same words as in docs/errors.md, for who does not read it.
REMEDIES = {
    "required": "Give it.",
    "null": "Leave it out, or give a value.",
    "blank": "Give a text, or leave the field out.",
    "empty": "Give at least one entry.",
    "invalid_choice": "Use one of the words the contract lists.",
    "not_a_number": "Write a plain number, without thousands signs.",
    "not_an_integer": "Write a whole number.",
    "not_whole": "Use the contract's field for fractions, or a whole number.",
    "not_a_boolean": "Write true or false.",
    "invalid_date": "Write it like 2026-11-20T09:30:00Z.",
    "too_long": "Shorten it.",
    "repeated": "Give it once.",
    "both_quantities": "Send one of them.",
    "unpriced": "Give unitPrice or originalPrice.",
    "duplicate_name": "Give each order a name of its own.",
    "duplicate_reference": "Send it under another reference, or update the order that is there.",
    "cancelled": "Retry it.",
    "not_a_date": "Correct the cell, or name the date format in the mapping.",
    "not_a_flag": "Write true or false.",
    "too_many_cells": "Look at the quotes and the delimiter of that row.",
    "contradicting_rows": "Make the rows of the order agree.",
    "scattered_rows": "Sort the file by the order's id.",
    "read_as_number": "Format the column as text.",
}
AS_THEY_WERE = frozenset(("cancelled", "duplicate_reference"))  # sent again unchanged, they may well be taken
_MAP = re.compile(r"(?:map a column|name it) with --map COLUMN=(\w+)")
_NUMBER = re.compile(r"\[\d+\]")


def remedy(code: str) -> str:
    return REMEDIES.get(code, ELSE)


def plainly(field: str) -> str:
    """Without the word that one contract puts behind a list it means as a whole."""
    return field.removesuffix(".non_field_errors")


def unnumbered(field: str) -> str:
    """`line_items[3].sku` -> `line_items.sku`: as columns of a file are known by."""
    return _NUMBER.sub("", field)


def in_the_wizard(text: str) -> str:
    """A hint that was written for the command line, for who has the mapping on a page instead."""
    text = _MAP.sub(lambda found: f"choose its column (“{found[1].replace('_', ' ')}”) in the mapping", text)
    return text.replace("give one for all: --set status=completed", "give one status for all in the mapping")


FILTERS: dict[str, Any] = {
    "remedy": remedy,
    "plainly": plainly,
    "unnumbered": unnumbered,
    "in_the_wizard": in_the_wizard,
}
