"""Options that several commands share, and how they become a Config."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import click

from ordermill.config import Config, load

F = TypeVar("F", bound=Callable[..., Any])


def store_options(command: F) -> F:
    """--data and --database-url, the same everywhere."""
    command = click.option("--data", metavar="DIR", help="Directory of the SQLite ledger (ORDERMILL_DATA).")(command)
    return click.option("--database-url", metavar="URL", help="postgresql://… (ORDERMILL_DATABASE_URL).")(command)


def settings(**options: Any) -> Config:
    """The Config under these options; those that were not given fall back to environment, file and defaults."""
    return load(options=options).config


def fail(message: str, code: int = 3) -> NoReturn:
    """One line on standard error, and the exit code."""
    print(f"ordermill: {message}", file=sys.stderr)
    sys.exit(code)


def sure(question: str, what: str) -> None:
    """Asks before something that cannot be undone. Where nobody can answer, the program ends and names --yes."""
    if not sys.stdin.isatty():
        fail(f"say --yes to {what} without being asked", 2)
    click.confirm(question, abort=True)


@contextmanager
def told_plainly() -> Any:
    """Turns what can go wrong around a ledger into one line and an exit code."""
    from ordermill.core.errors import Conflict, Invalid, NotFound, Refusal
    from ordermill.holding import Unavailable
    from ordermill.store.migrating import SchemaTrouble

    try:
        yield
    except (Unavailable, SchemaTrouble) as error:
        fail(str(error))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        fail(f"the ledger is damaged, or no ledger: {error} (keep the file; ordermill backup restore FILE)")
    except Refusal as refusal:
        code = 6 if isinstance(refusal, NotFound) else 2 if isinstance(refusal, Invalid | Conflict) else 3
        fail(refusal.message + (f" ({hint})" if (hint := refusal.hint or _why(refusal)) else ""), code)


def _why(refusal: Exception) -> str:
    """What the database's driver said: whoever starts the server needs it, a client never gets to see it."""
    said = str(refusal.__cause__ or "").strip().splitlines()
    return said[0].strip() if said and said[0] not in str(refusal) else ""


@contextmanager
def open_store(config: Config) -> Any:
    """A write transaction maker on the ledger of a Config, beside a running server or without one."""
    from ordermill.app import make_engine, prepare
    from ordermill.store.lanes import in_transaction

    with told_plainly():
        engine = make_engine(config)
        prepare(engine, config)
        connection = engine.connect()
        try:
            yield lambda verb: in_transaction(connection, verb)
        finally:
            connection.close()
