"""Options that several commands share, and how they become a Config."""

from __future__ import annotations

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


@contextmanager
def told_plainly() -> Any:
    """Turns what can go wrong around a ledger into one line and an exit code."""
    from ordermill.app import Unavailable
    from ordermill.core.errors import Refusal
    from ordermill.store.migrating import SchemaTrouble

    try:
        yield
    except (Unavailable, SchemaTrouble) as error:
        fail(str(error))
    except Refusal as refusal:
        fail(refusal.message + (f" ({refusal.hint})" if refusal.hint else ""))


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
