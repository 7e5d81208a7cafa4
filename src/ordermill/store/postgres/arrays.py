"""Columns of row sets in PostgreSQL's binary form for arrays, made at C speed.

The driver puts a list together element by element, in Python: that was half of the program's time for a batch. Here one
`pack`, or one `join`, does a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from struct import Struct, pack
from typing import Any

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEAD = Struct(">5i").pack  # dimensions, has nulls, oid of the elements, length, index of the first
_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)


class Column:
    """The values of one column of a row set, in order."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values


class _Integers(Dumper):
    format = Format.BINARY
    element = 0
    size = 0
    letter = ""

    def dump(self, obj: Any) -> bytes:
        values: Sequence[int | None] = obj.values
        count, letter = len(values), self.letter
        if None not in values:
            said = pack(
                f">{f'i{letter}' * count}", *chain.from_iterable(zip(repeat(self.size, count), values, strict=True))
            )
            return _HEAD(1, 0, self.element, count, 1) + said
        one = Struct(f">i{letter}").pack
        parts = [_NULL if value is None else one(self.size, value) for value in values]
        return b"".join([_HEAD(1, 1, self.element, count, 1), *parts])


class _Texts(Dumper):
    format = Format.BINARY
    oid = 1009

    def dump(self, obj: Any) -> bytes:
        values: Sequence[str | None] = obj.values
        parts = [_HEAD(1, int(None in values), 25, len(values), 1)]
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                text = value.encode()
                parts += (_LENGTH(len(text)), text)
        return b"".join(parts)


class _Bytes(Dumper):
    format = Format.BINARY
    oid = 1001

    def dump(self, obj: Any) -> bytes:
        values: Sequence[bytes] = obj.values
        sizes = map(_LENGTH, map(len, values))
        return b"".join([_HEAD(1, 0, 17, len(values), 1), *chain.from_iterable(zip(sizes, values, strict=True))])


class Bigints(Column):
    """bigint[]"""


class Integers(Column):
    """integer[]"""


class Smallints(Column):
    """smallint[]"""


class Texts(Column):
    """text[]"""


class Bytes(Column):
    """bytea[], without nulls"""


class _Bigints(_Integers):
    oid, element, size, letter = 1016, 20, 8, "q"


class _Ints(_Integers):
    oid, element, size, letter = 1007, 23, 4, "i"


class _Smallints(_Integers):
    oid, element, size, letter = 1005, 21, 2, "h"


# By the name of the element's type, as the statements cast it.
COLUMNS: dict[str, type[Column]] = {
    "bigint": Bigints,
    "integer": Integers,
    "smallint": Smallints,
    "text": Texts,
    "bytea": Bytes,
}


def register(adapters: AdaptersMap) -> None:
    """Tells a connection about them."""
    adapters.register_dumper(Bigints, _Bigints)
    adapters.register_dumper(Integers, _Ints)
    adapters.register_dumper(Smallints, _Smallints)
    adapters.register_dumper(Texts, _Texts)
    adapters.register_dumper(Bytes, _Bytes)
