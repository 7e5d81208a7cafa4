"""Accounts and keys in the store. Engine-free; the SQL stands in accounts.sql."""

from __future__ import annotations

from ordermill.core.account import DEFAULT_ACCOUNT, Account, ApiKey, Scope
from ordermill.core.delivery import SECRET_OVERLAP_S, make_secret
from ordermill.core.errors import Duplicate, NotFound
from ordermill.core.order import Mode
from ordermill.store.engine import Row, Transaction


def ensure_default(tx: Transaction, now: int) -> None:
    """The account `default` exists from the start."""
    if tx.one("find_account_by_name", DEFAULT_ACCOUNT) is None:
        tx.run("save_account", 1, DEFAULT_ACCOUNT, make_secret(), now)


def create_account(tx: Transaction, name: str, now: int) -> Account:
    """Raises Duplicate."""
    if tx.one("find_account_by_name", name) is not None:
        raise Duplicate(f"there is an account named {name!r} already", field="name")
    number = tx.reserve(0, "account", 1) + 1  # 1 is the default account
    if tx.run("save_account", number, name, make_secret(), now) != 1:
        raise Duplicate(f"there is an account named {name!r} already", field="name")
    return Account(id=number, name=name, notify_secret="", created_at=now)


def find_accounts(tx: Transaction) -> tuple[Account, ...]:
    return tuple(_account(row) for row in tx.all("find_accounts"))


def get_account(tx: Transaction, account_id: int) -> Account:
    """Raises NotFound."""
    row = tx.one("find_account", account_id)
    if row is None:
        raise NotFound("there is no such account")
    return _account(row)


def get_account_by_name(tx: Transaction, name: str) -> Account:
    """Raises NotFound."""
    row = tx.one("find_account_by_name", name)
    if row is None:
        raise NotFound(f"there is no account named {name!r}", hint="ordermill accounts list shows them")
    return _account(row)


def rotate_notify_secret(tx: Transaction, account_id: int, now: int) -> Account:
    """The account with a new secret; the old one signs beside it for a day. Raises NotFound."""
    tx.run("rotate_notify_secret", now + SECRET_OVERLAP_S * 1_000_000, make_secret(), account_id)
    return get_account(tx, account_id)


def save_key(tx: Transaction, key: ApiKey) -> None:
    """Raises Duplicate when a key with that id is known."""
    written = tx.run(
        "save_key", key.account_id, key.id, key.name, key.mode, " ".join(scope.value for scope in key.scopes),
        key.secret_hash, key.hint, key.rate_limit, key.created_at, key.expires_at,
    )  # fmt: skip
    if written != 1:
        raise Duplicate("this key is known already")


def find_key(tx: Transaction, key_id: str) -> ApiKey | None:
    """By id alone: this is how an account is found."""
    row = tx.one("find_key", key_id)
    return _key(row) if row else None


def find_keys(tx: Transaction, account_id: int) -> tuple[ApiKey, ...]:
    return tuple(_key(row) for row in tx.all("find_keys", account_id))


def revoke_key(tx: Transaction, account_id: int, key_id: str, now: int) -> None:
    """Raises NotFound. A key that is revoked already stays as it is."""
    if tx.run("revoke_key", now, account_id, key_id) == 0:
        key = find_key(tx, key_id)
        if key is None or key.account_id != account_id:
            raise NotFound("there is no such key")


def expire_key(tx: Transaction, account_id: int, key_id: str, at: int) -> None:
    """Lets a key end at an instant. Raises NotFound."""
    if tx.run("expire_key", at, account_id, key_id) == 0:
        raise NotFound("there is no such key")


def touch_keys(tx: Transaction, used: dict[tuple[int, str], int]) -> None:
    """Notes when keys were last used: (account, key id) -> instant."""
    for (account_id, key_id), at in sorted(used.items()):
        tx.run("touch_key", at, account_id, key_id)


def _account(row: Row) -> Account:
    return Account(id=row[0], name=row[1], notify_secret=row[2], created_at=row[3], old_notify_secret_until=row[4])


def _key(row: Row) -> ApiKey:
    return ApiKey(
        account_id=row[0],
        id=row[1],
        name=row[2],
        mode=Mode(row[3]),
        scopes=tuple(Scope(scope) for scope in row[4].split()),
        secret_hash=bytes(row[5]),
        hint=row[6],
        rate_limit=row[7],
        created_at=row[8],
        expires_at=row[9],
        revoked_at=row[10],
        last_used_at=row[11],
    )
