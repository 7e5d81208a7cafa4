"""What an engine is: it runs named statements inside transactions, and that is all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Row = tuple[Any, ...]


class Collided(Exception):
    """Another process wrote the same rows first; nothing was written here. The verb is to be run again."""


UNCERTAIN = "the database was lost while it committed, so it is not known whether this was stored; send it again"


class Transaction(Protocol):
    """One open transaction. Statements are named; `?` marks a parameter in every engine's files.

    `again`: the verb has lost a race before; it had better lock what it reads, so that it cannot lose for ever.
    """

    again: bool

    def one(self, name: str, *params: object) -> Row | None: ...

    def all(self, name: str, *params: object) -> list[Row]: ...

    def run(self, name: str, *params: object) -> int:
        """The number of rows written."""
        ...

    def all_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> list[Row]:
        """A statement that is given a set of rows, and parameters that are the same for all of them."""
        ...

    def run_of(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> int:
        """The same for writing; the number of rows written."""
        ...

    def run_aside(self, name: str, fixed: tuple[object, ...], rows: Sequence[Row]) -> bool:
        """Writes rows that may stay whatever becomes of this transaction: committed at once where others would have to
        wait for its end otherwise. False: one of them was there already, and none was written."""
        ...

    def compose(self, name: str, clauses: Sequence[str], params: Sequence[object], tail: str = "") -> list[Row]:
        """A reading statement whose filters depend on what was asked: `{filters}` becomes the named clauses."""
        ...

    def reserve(self, account_id: int, counter: str, count: int) -> int:
        """The first of `count` numbers that nobody else will be given. Gaps are possible, repeats are not."""
        ...


class Connection(Protocol):
    """One connection, used by one thread at a time."""

    def transaction(self, *, again: bool = False) -> AbstractContextManager[Transaction]:
        """Commits at the end, or rolls back. Raises Overloaded when the database cannot be used now: then nothing was
        stored, unless the message says that the commit itself was cut off (UNCERTAIN). Raises Collided."""
        ...

    def close(self) -> None: ...


class Bell(Protocol):
    """How a process tells the others on its database that something is due. A hint: they look by themselves as well."""

    def ring(self) -> None: ...

    async def listen(self, wake: Callable[[], None]) -> None:
        """Calls `wake` whenever it is rung, until it is cancelled; ends at once where there are no others."""
        ...


class Engine(Protocol):
    """`lanes`: how many connections may write at the same time. `readers`: how many threads read beside them."""

    name: str
    lanes: int
    readers: int

    @property
    def bell(self) -> Bell: ...

    def connect(self, *, read_only: bool = False) -> Connection: ...

    def alone(self) -> AbstractContextManager[None]:
        """Other processes that migrate wait meanwhile, where a copy is kept before; else `script` is enough."""
        ...

    def script(self, text: str, *, record: tuple[str, str, int]) -> bool:
        """Runs a migration file and its record (version, checksum, instant) in one transaction, under a lock.

        False when another process had applied it meanwhile.
        """
        ...

    def keep_copy(self, name: str) -> Path | None:
        """A checked copy of the whole database under that name; None where copies are the operator's (PostgreSQL)."""
        ...

    def size_bytes(self) -> int | None: ...

    def close(self) -> None:
        """Ends what the engine holds besides the connections it handed out."""
        ...
