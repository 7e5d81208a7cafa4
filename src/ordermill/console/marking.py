"""Where in a document the wrong value stands: its text in pieces, those that a problem speaks of marked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple

from ordermill.core.batch import Problem

CHARS = 4_000  # of a document are shown
SEARCHED = 256 * 1024  # a longer document is shown without marks: a page of fifty has no time to look through it
BEFORE = 400  # of them before the first mark, where that lies further back
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_BLANK = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder().raw_decode


class Piece(NamedTuple):
    """A part of a text. `wrong`: a problem's field holds it."""

    text: str
    wrong: bool


def pieces(document: str, problems: Iterable[Problem]) -> list[Piece]:
    """The document, at most CHARS of it, cut at the values of the problems' fields. What is no JSON has no marks.

    A field that is not there (it was required, and not given) marks nothing.
    """
    spans = sorted(_spans(document, problems)) if len(document) <= SEARCHED else []
    first = 0 if not spans or spans[0][0] < CHARS - BEFORE else spans[0][0] - BEFORE
    end = min(len(document), first + CHARS)
    found = [Piece("…" if first else "", False)]
    at = first
    for start, stop in spans:
        if start < at or start >= end:  # inside of the one before, or behind what is shown
            continue
        found += [Piece(document[at:start], False), Piece(document[start : min(stop, end)], True)]
        at = min(stop, end)
    found += [Piece(document[at:end], False), Piece("…" if end < len(document) else "", False)]
    return [piece for piece in found if piece.text]


def _spans(document: str, problems: Iterable[Problem]) -> set[tuple[int, int]]:
    found = (span(document, problem.field) for problem in problems)
    return {place for place in found if place is not None}


def span(document: str, path: str) -> tuple[int, int] | None:
    """First and behind-last character of the value at a path such as `products[0].price`; None where there is none."""
    steps = [int(number) if number else name for number, name in _STEP.findall(path)]
    if not steps:
        return None
    try:
        at, end = _skip(document, 0), len(document)
        for step in steps:
            found = _member(document, at, step) if isinstance(step, str) else _entry(document, at, step)
            if found is None:
                return None
            at, end = found
    except (ValueError, IndexError, RecursionError):
        return None
    return at, end


def _skip(document: str, at: int) -> int:
    found = _BLANK.match(document, at)
    return at if found is None else found.end()


def _member(document: str, at: int, name: str) -> tuple[int, int] | None:
    if document[at] != "{":
        return None
    at = _skip(document, at + 1)
    while document[at] == '"':
        key, at = scanstring(document, at + 1)
        start = _skip(document, _skip(document, at) + 1)  # behind the colon
        _, end = _decode(document, start)
        if key == name:
            return start, end
        at = _skip(document, _skip(document, end) + 1)  # behind the comma
    return None


def _entry(document: str, at: int, place: int) -> tuple[int, int] | None:
    if document[at] != "[":
        return None
    start = _skip(document, at + 1)
    while document[start] != "]":
        _, end = _decode(document, start)
        if place == 0:
            return start, end
        place -= 1
        start = _skip(document, end)
        if document[start] == ",":
            start = _skip(document, start + 1)
    return None
