"""Which server a command talks to: the one it is told, a profile's, or the one that runs on the local ledger."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from ordermill.cli.options import fail
from ordermill.config import Config

F = TypeVar("F", bound=Callable[..., Any])
ENV_SERVER, ENV_KEY = "ORDERMILL_SERVER", "ORDERMILL_KEY"
KEY_FILE = "cli.key"


class Server(msgspec.Struct, frozen=True):
    """Where and as whom."""

    url: str
    key: str


def server_options(command: F) -> F:
    """--server, --key, --key-file, --profile."""
    options = (
        click.option(
            "--server", metavar="URL", help="A running Ordermill instead of the local ledger (ORDERMILL_SERVER)."
        ),
        click.option("--key", metavar="KEY", help="Its API key (ORDERMILL_KEY)."),
        click.option(
            "--key-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="A file that holds the key.",
        ),
        click.option("--profile", metavar="NAME", help="Server and key from the profiles file."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def server_told(
    *, server: str | None = None, key: str | None = None, key_file: Path | None = None, profile: str | None = None
) -> Server | None:
    """None where no server was named: the local ledger is meant."""
    if profile is not None:
        said = _profile(profile)
        server, key = server or said.get("server"), key or said.get("key")
    server = server or os.environ.get(ENV_SERVER)
    if server is None:
        if key is not None or key_file is not None:
            fail("a key was given, but no --server", 2)
        return None
    if key is None and key_file is not None:
        key = key_file.read_text(encoding="utf-8").strip()
    key = key or os.environ.get(ENV_KEY)
    if not key:
        fail(f"the server {server} needs a key: --key, --key-file or {ENV_KEY}", 2)
    return Server(web_address(server, "the server").rstrip("/"), key)


def web_address(text: str, what: str) -> str:
    """The address. Ends the program for one without http:// or https://, or without a host."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        fail(f"{what} must be an address that begins with http:// or https://, not {text!r}", 2)
    return text


def profiles_path() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "ordermill" / "config.toml"


def _profile(name: str) -> dict[str, Any]:
    path = profiles_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("profiles", {})
    except FileNotFoundError:
        found = {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        fail(f"{path} cannot be read: {error}", 3)
    if name not in found:
        fail(f"there is no profile {name!r} in {path}", 2)
    said: dict[str, Any] = found[name]
    return said


def running_server(config: Config, *, test: bool = False) -> Server | None:
    """The server that holds the local data directory. None where none does (or the ledger is PostgreSQL)."""
    url = address_of(config)
    return None if url is None else Server(url, own_key(config, test=test))


def address_of(config: Config) -> str | None:
    """Where the server that holds the local data directory answers. None where none does (or on PostgreSQL)."""
    from ordermill.holding import Unavailable, lock_data, running_at

    if config.database_url:
        return None
    try:
        lock = lock_data(config)
    except Unavailable as error:
        return running_at(config) or fail(f"{error}")
    if lock is not None:
        lock.close()
    return None


def own_key(config: Config, *, test: bool) -> str:
    """The key of this machine's command line: made once, kept beside the ledger, readable by its owner only.

    Whoever can read it can read the ledger itself.
    """
    from ordermill.app import clock
    from ordermill.cli.options import open_store
    from ordermill.core.account import DEFAULT_ACCOUNT, ApiKey, Scope, make_key, take_apart
    from ordermill.core.order import Mode
    from ordermill.store import accounts

    path = Path(config.data) / (f"test-{KEY_FILE}" if test else KEY_FILE)
    now = clock()
    with open_store(config) as transact:
        if path.exists():
            text = path.read_text(encoding="ascii").strip()
            known = transact(lambda tx: accounts.find_key(tx, take_apart(text).id))
            if known is not None and known.valid_at(now):
                return text
        mode = Mode.TEST if test else Mode.LIVE
        text = make_key(mode)
        presented = take_apart(text)
        key = ApiKey(
            account_id=transact(lambda tx: accounts.get_account_by_name(tx, DEFAULT_ACCOUNT)).id,
            id=presented.id,
            name="command line",
            mode=mode,
            scopes=(Scope.ADMIN,),
            secret_hash=presented.secret_hash,
            hint=text[-4:],
            rate_limit=None,
            created_at=now,
        )
        transact(lambda tx: accounts.save_key(tx, key))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")
    return text
