"""Whether what was sent, or what was said of it, names a person: themselves, never somebody of a longer name. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

Names = Iterable[tuple[str, str]]  # (kind, value), as contacts have them

# Where the contracts say who somebody is. A value as short as "42" names a person here, and nowhere else.
_OWN_PLACE = {
    "email": re.compile(r"mail[^.]*$", re.I),
    "phone": re.compile(r"(?:phone|mobile)[^.]*$", re.I),
    "ext": re.compile(r"(?:^|\.)identifiers\.ext(?:_id)?$"),
    "loyalty": re.compile(r"(?:^|\.)identifiers\.loyalty(?:_subscription_id)?$"),
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_INTERNATIONAL = re.compile(r"\+[0-9]{7,}")
_PHONE_SIGNS = str.maketrans("", "", " \t-()./\u00a0")
PLACES_MAX = 10_000
_INDEX = re.compile(r"\[\d+\]")


class Recogniser:
    """Knows one person by all their identifiers.

    An e-mail address counts wherever it stands as a whole, also in a note; a phone number with its country wherever it
    is all that is said. Everything else (other numbers are also those of articles, orders and days) counts only where a
    contract says who somebody is.
    """

    def __init__(self, names: Names) -> None:
        self._words: list[tuple[str, re.Pattern[str]]] = []
        self._anywhere: set[str] = set()
        self._at_place: dict[str, set[str]] = {}
        self._kinds_at: dict[str, tuple[str, ...]] = {}  # places repeat from document to document
        for kind, value in names:
            spelled = spell(kind, value)
            if spelled:
                self._learn(kind, spelled)

    def _learn(self, kind: str, spelled: str) -> None:
        self._at_place.setdefault(kind, set()).add(spelled)
        if kind == "email" and _ADDRESS.fullmatch(spelled):
            # Not as the end of joann@… or jo.ann@…, not as the beginning of …@example.com.au.
            word = re.compile(rf"(?<!\w)(?<!\w[.+%'~-]){re.escape(spelled)}(?!\w|[.-]\w|@)")
            self._words.append((spelled, word))
        elif kind == "phone" and _INTERNATIONAL.fullmatch(spelled):
            self._anywhere.add(spelled)

    def knows(self, text: str | None) -> bool:
        """Whether a JSON text names the person; any other text is taken as one that somebody wrote."""
        if not text:
            return False
        try:
            # Numbers as they are written; members in pairs, so that one given twice is seen twice.
            said = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=tuple)
        except (ValueError, RecursionError):
            said = text
        return any(self._is_them(place, told) for place, told in _texts(said))

    def knows_name(self, text: str | None) -> bool:
        """The same for a plain text."""
        return bool(text) and self._is_them("", str(text))

    def _is_them(self, place: str, told: str) -> bool:
        folded = told.casefold()
        if any(value in folded and word.search(folded) for value, word in self._words):
            return True
        if "+" in told and spell("phone", told) in self._anywhere:
            return True
        return any(spell(kind, told) in self._at_place[kind] for kind in self._kinds(place))

    def _kinds(self, place: str) -> tuple[str, ...]:
        kinds = self._kinds_at.get(place)
        if kinds is None:
            if len(self._kinds_at) == PLACES_MAX:
                self._kinds_at.clear()
            kinds = self._kinds_at[place] = tuple(kind for kind in self._at_place if _OWN_PLACE[kind].search(place))
        return kinds


def spell(kind: str, value: str) -> str:
    """As values of a kind are compared. Ids are told apart by case, as contacts are."""
    if kind == "email":
        return value.strip().casefold()
    return value.translate(_PHONE_SIGNS) if kind == "phone" else value.strip()


def _texts(said: Any) -> Iterator[tuple[str, str]]:
    """(path without indexes, text) of every text, number and name in it."""
    left: list[tuple[str, Any]] = [("", said)]
    while left:
        place, value = left.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, list):
            left += [(place, entry) for entry in value]
        elif isinstance(value, tuple):
            # A problem tells in `field` whose `value` it is.
            field = next(
                (_INDEX.sub("", told) for name, told in value if name == "field" and isinstance(told, str)), ""
            )
            for name, told in value:
                yield place, name
                left.append((field if field and name == "value" else f"{place}.{name}", told))
