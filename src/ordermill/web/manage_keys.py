"""Keys and accounts through our own API: made, listed, rotated with an overlap, revoked. For administrators."""

from __future__ import annotations

import time

from ordermill.core.account import (
    DEFAULT_ACCOUNT_ID,
    DEFAULT_SCOPES,
    Account,
    ApiKey,
    Scope,
    make_key,
    take_apart,
)
from ordermill.core.batch import Sender
from ordermill.core.errors import Conflict, Forbidden, Invalid, NotFound
from ordermill.core.order import Mode
from ordermill.store.ledger import Ledger
from ordermill.web import key_shapes, shapes, telling
from ordermill.web.auth import Authenticator
from ordermill.web.bodies import read_body
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import read_moment, read_query, text

HOUR_US = 3_600_000_000
ACCOUNT = text("account", "Keys of this account; only for administrators of the account `default`.", chars_max=100)
IN_PATH = {"id": "The key's id, not its secret."}


class Keys:
    """The handlers. A key of the test mode neither sees nor makes keys of the live mode."""

    def __init__(self, ledger: Ledger, authenticator: Authenticator) -> None:
        self.ledger = ledger
        self.authenticator = authenticator

    async def list_keys(self, request: Request) -> Reply:
        """GET /keys: newest first, all of them."""
        asked = read_query(request.query(), (ACCOUNT,))
        account_id = await self._account_id(request.who, asked.get("account"))
        found = [key for key in await self.ledger.find_keys(account_id) if may_see(request.who, key.mode)]
        return telling.write_page([telling.key(key) for key in found], None)

    async def create_key(self, request: Request) -> Reply:
        """POST /keys: 201 with the secret, once."""
        read_query(request.query(), ())
        asked = read_body(request, key_shapes.NewKey)
        who = request.who
        mode = who.mode if asked.mode is None else Mode[asked.mode.upper()]
        if not may_see(who, mode):
            raise Forbidden("a test key cannot make a live key", field="mode")
        scopes = DEFAULT_SCOPES if asked.scopes is None else tuple(dict.fromkeys(map(Scope, asked.scopes)))
        key, secret = new_key(
            await self._account_id(who, asked.account),
            asked.name,
            mode,
            scopes,
            rate_limit=asked.rate_limit,
            expires_at=_later(asked.expires_at),
        )
        await self.ledger.save_key(key)
        return telling.write(telling.made_key(key, secret), 201, (("cache-control", "no-store"),))

    async def rotate_key(self, request: Request) -> Reply:
        """POST /keys/{id}/rotate: 201 with a new key like the old one, which ends after the overlap."""
        read_query(request.query(), ())
        asked = read_body(request, key_shapes.Rotation, optional=True)
        old = await self._key(request)
        if not old.valid_at(now()):
            raise Conflict("this key has ended: there is nothing to rotate", hint="make a new one")
        made, secret = new_key(
            old.account_id, old.name, old.mode, old.scopes, rate_limit=old.rate_limit, expires_at=old.expires_at
        )
        end = now() + asked.overlap_hours * HOUR_US
        if old.expires_at is None or end < old.expires_at:
            await self.ledger.rotate_key(made, old.id, end)
        else:
            await self.ledger.save_key(made)
        self.authenticator.forget()
        ending = await self.ledger.find_key(old.id)
        rotated = key_shapes.Rotated(made=telling.made_key(made, secret), old=telling.key(ending or old))
        return telling.write(rotated, 201, (("cache-control", "no-store"),))

    async def revoke_key(self, request: Request) -> Reply:
        """DELETE /keys/{id}: at once (other processes: within seconds)."""
        read_query(request.query(), ())
        key = await self._key(request)
        await self.ledger.revoke_key(key.account_id, key.id)
        self.authenticator.forget()
        return Reply(204)

    async def _key(self, request: Request) -> ApiKey:
        """The key that the path names. Raises NotFound, also for a key that this one must not see."""
        key = await self.ledger.find_key(request.params["id"][:100].replace("\0", ""))
        who = request.who
        if key is None or not may_see(who, key.mode) or not (key.account_id == who.account_id or is_keeper(who)):
            raise NotFound("there is no such key")
        return key

    async def _account_id(self, who: Sender, name: str | None) -> int:
        if name is None:
            return who.account_id
        check_keeper(who)
        for account in await self.ledger.find_accounts():
            if account.name == name:
                return account.id
        raise NotFound(f"there is no account named {name!r}", field="account")

    async def list_accounts(self, request: Request) -> Reply:
        """GET /accounts."""
        read_query(request.query(), ())
        check_keeper(request.who)
        return telling.write_page([telling.account(account) for account in await self.ledger.find_accounts()], None)

    async def create_account(self, request: Request) -> Reply:
        """POST /accounts: 201. It has no key yet: POST /keys with its name makes one."""
        read_query(request.query(), ())
        check_keeper(request.who)
        asked = read_body(request, key_shapes.NewAccount)
        made: Account = await self.ledger.create_account(asked.name)
        return telling.write(telling.account(made), 201)

    def calls(self) -> tuple[Call, ...]:
        admin = Scope.ADMIN.value
        return (
            Call(
                method="GET",
                pattern="/keys",
                id="listKeys",
                tag="Keys",
                summary="Keys of the account, newest first",
                handler=self.list_keys,
                scope=admin,
                parameters=(ACCOUNT,),
                answers=(Answer(status=200, sentence="All keys.", body=shapes.Listing[key_shapes.Key]),),
                refuses=(404, 422),
            ),
            Call(
                method="POST",
                pattern="/keys",
                id="createKey",
                tag="Keys",
                summary="Make a key",
                description="The secret is in this answer and nowhere else. An Idempotency-Key is not heeded: it "
                "would keep the secret.",
                handler=self.create_key,
                scope=admin,
                takes=key_shapes.NewKey,
                answers=(Answer(status=201, sentence="The key with its secret.", body=key_shapes.MadeKey),),
                refuses=(400, 404, 413, 415, 422),
            ),
            Call(
                method="POST",
                pattern="/keys/{id}/rotate",
                id="rotateKey",
                tag="Keys",
                summary="Make a key like this one, and end this one after an overlap",
                description="The body may be left out. An Idempotency-Key is not heeded: it would keep the secret.",
                handler=self.rotate_key,
                scope=admin,
                path_parameters=IN_PATH,
                takes=key_shapes.Rotation,
                optional_body=True,
                answers=(Answer(status=201, sentence="The new key and the old one.", body=key_shapes.Rotated),),
                refuses=(400, 404, 409, 413, 415, 422),
            ),
            Call(
                method="DELETE",
                pattern="/keys/{id}",
                id="revokeKey",
                tag="Keys",
                summary="End a key at once",
                handler=self.revoke_key,
                scope=admin,
                write=True,
                path_parameters=IN_PATH,
                answers=(Answer(status=204, sentence="The key has ended."),),
                refuses=(404, 422),
            ),
            Call(
                method="GET",
                pattern="/accounts",
                id="listAccounts",
                tag="Keys",
                summary="Accounts of this server (administrators of the account `default`)",
                handler=self.list_accounts,
                scope=admin,
                answers=(Answer(status=200, sentence="All accounts.", body=shapes.Listing[key_shapes.Account]),),
                refuses=(422,),
            ),
            Call(
                method="POST",
                pattern="/accounts",
                id="createAccount",
                tag="Keys",
                summary="Make an account (administrators of the account `default`)",
                handler=self.create_account,
                scope=admin,
                write=True,
                takes=key_shapes.NewAccount,
                answers=(Answer(status=201, sentence="The account.", body=key_shapes.Account),),
                refuses=(400, 409, 413, 415, 422),
            ),
        )


def now() -> int:
    """µs since 1970 UTC."""
    return time.time_ns() // 1000


def new_key(
    account_id: int,
    name: str,
    mode: Mode,
    scopes: tuple[Scope, ...],
    *,
    rate_limit: int | None,
    expires_at: int | None,
) -> tuple[ApiKey, str]:
    """(the key as the ledger keeps it, the text its owner presents)."""
    secret = make_key(mode)
    presented = take_apart(secret)
    key = ApiKey(
        account_id=account_id,
        id=presented.id,
        name=name,
        mode=mode,
        scopes=scopes,
        secret_hash=presented.secret_hash,
        hint=secret[-4:],
        rate_limit=rate_limit,
        created_at=now(),
        expires_at=expires_at,
    )
    return key, secret


def may_see(who: Sender, mode: Mode) -> bool:
    return who.mode is Mode.LIVE or mode is Mode.TEST


def is_keeper(who: Sender) -> bool:
    """Who runs the house: live administrators of the default account (the guard has checked the scope)."""
    return who.account_id == DEFAULT_ACCOUNT_ID and who.mode is Mode.LIVE


def check_keeper(who: Sender) -> None:
    if not is_keeper(who):
        raise Forbidden("only live administrators of the account `default` may do that")


def _later(said: str | None) -> int | None:
    if said is None:
        return None
    try:
        at = read_moment(said)
    except ValueError as error:
        raise Invalid(f"expiresAt {error}", field="expiresAt") from error
    if at <= now():
        raise Invalid("expiresAt is past", field="expiresAt")
    return at
