"""`ordermill keys` and `ordermill accounts`: on the ledger itself, with the server running or not."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from ordermill.cli.options import fail, open_store, settings, store_options
from ordermill.core.account import (
    DEFAULT_ACCOUNT,
    DEFAULT_SCOPES,
    IMPORTED_LENGTH_MIN,
    ApiKey,
    Scope,
    make_key,
    take_apart,
)
from ordermill.core.order import Mode
from ordermill.store import accounts as store

DAY_US = 86_400_000_000


@click.group()
def keys() -> None:
    """Create, list, rotate and revoke API keys. One key works in the header of every contract."""


@keys.command("create")
@click.argument("name")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Whose key it is.")
@click.option("--test", "test", is_flag=True, help="A test key: what it creates is kept apart from live data.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; repeat for several. Default: orders:read, orders:write, webhooks.",
)  # fmt: skip
@click.option("--expires-days", type=click.IntRange(1), help="Days until it ends by itself.")
@click.option("--rate-limit", type=click.IntRange(1), help="Requests a minute.")
@click.option(
    "--import", "import_", is_flag=True, help="Read an existing key from standard input instead of making one."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with id, name, mode, key.")
@store_options
def create(
    name: str,
    account: str,
    test: bool,
    scopes: tuple[str, ...],
    expires_days: int | None,
    rate_limit: int | None,
    import_: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a key. It is shown once; only a hash of it is kept."""
    from ordermill.app import clock

    mode = Mode.TEST if test else Mode.LIVE
    text = _read_key() if import_ else make_key(mode)
    presented = take_apart(text)
    now = clock()
    with open_store(settings(**options)) as transact:
        key = ApiKey(
            account_id=transact(lambda tx: store.get_account_by_name(tx, account)).id,
            id=presented.id,
            name=name,
            mode=mode,
            scopes=tuple(Scope(scope) for scope in scopes) or DEFAULT_SCOPES,
            secret_hash=presented.secret_hash,
            hint=text[-4:],
            rate_limit=rate_limit,
            created_at=now,
            expires_at=now + expires_days * DAY_US if expires_days else None,
        )
        transact(lambda tx: store.save_key(tx, key))
    if as_json:
        told = {"id": key.id, "name": name, "mode": mode.name.lower(), "key": text}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(text)
        click.echo(f"{mode.name.lower()} key {key.id} ({name}): keep it now, it is not shown again", err=True)


def _read_key() -> str:
    text = sys.stdin.readline().strip()
    if len(text) < IMPORTED_LENGTH_MIN or not text.isascii() or not text.isprintable():
        fail(f"a key to import must have at least {IMPORTED_LENGTH_MIN} printable ASCII characters", 2)
    return text


@keys.command("list")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@store_options
def list_(account: str, as_json: bool, **options: Any) -> None:
    """The keys of an account, newest first."""
    with open_store(settings(**options)) as transact:
        found = transact(lambda tx: store.find_keys(tx, store.get_account_by_name(tx, account).id))
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "mode": key.mode.name.lower(),
            "ends_with": key.hint,
            "scopes": [scope.value for scope in key.scopes],
            "created_at": _when(key.created_at),
            "last_used_at": _when(key.last_used_at),
            "expires_at": _when(key.expires_at),
            "revoked_at": _when(key.revoked_at),
        }
        for key in found
    ]
    if as_json:
        click.echo(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else f"used {row['last_used_at'] or 'never'}"
        click.echo(f"{row['id']:<26} {row['mode']:<5} …{row['ends_with']:<5} {row['name']:<20} {state}")


@keys.command("revoke")
@click.argument("key_id")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@store_options
def revoke(key_id: str, account: str, **options: Any) -> None:
    """End a key now. Running servers follow within five seconds."""
    from ordermill.app import clock

    with open_store(settings(**options)) as transact:
        transact(lambda tx: store.revoke_key(tx, store.get_account_by_name(tx, account).id, key_id, clock()))
    click.echo(f"key {key_id} is revoked", err=True)


@keys.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap-hours", default=24, show_default=True, type=click.IntRange(0), help="How long the old one works on."
)
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with id, name, mode, key.")
@store_options
def rotate(key_id: str, overlap_hours: int, account: str, as_json: bool, **options: Any) -> None:
    """Make a new key like this one, and let the old one end after the overlap."""
    from ordermill.app import clock

    now = clock()
    with open_store(settings(**options)) as transact:
        account_id = transact(lambda tx: store.get_account_by_name(tx, account)).id
        old = transact(lambda tx: store.find_key(tx, key_id))
        if old is None or old.account_id != account_id:
            fail("there is no such key", 6)
        text = make_key(old.mode)
        presented = take_apart(text)
        new = msgspec.structs.replace(
            old, id=presented.id, secret_hash=presented.secret_hash, hint=text[-4:], created_at=now, expires_at=None,
            revoked_at=None, last_used_at=None,
        )  # fmt: skip
        transact(lambda tx: store.save_key(tx, new))
        transact(lambda tx: store.expire_key(tx, account_id, key_id, now + overlap_hours * 3_600_000_000))
    if as_json:
        told = {"id": new.id, "name": new.name, "mode": new.mode.name.lower(), "key": text}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(text)
        click.echo(f"{key_id} works for {overlap_hours} h more, {new.id} takes its place", err=True)


@click.group()
def accounts() -> None:
    """Create and list accounts. Nothing of one account is ever seen by another."""


@accounts.command("create")
@click.argument("name")
@store_options
def create_account(name: str, **options: Any) -> None:
    """Make an account."""
    from ordermill.app import clock

    with open_store(settings(**options)) as transact:
        account = transact(lambda tx: store.create_account(tx, name, clock()))
    click.echo(f"account {account.name} ({account.id}) is made; ordermill keys create NAME --account {name}", err=True)


@accounts.command("list")
@store_options
def list_accounts(**options: Any) -> None:
    """All accounts."""
    with open_store(settings(**options)) as transact:
        for account in transact(store.find_accounts):
            click.echo(f"{account.id:<6} {account.name:<30} {_when(account.created_at)}")


def _when(micros: int | None) -> str | None:
    from ordermill.dialects.reading import iso

    return iso(micros)[:19] + "Z" if micros is not None else None
