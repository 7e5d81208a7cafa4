"""Erasing a person through our own API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ordermill.core.account import Scope
from ordermill.core.erasing import KINDS, Erased, Person
from ordermill.core.errors import Invalid
from ordermill.store.erasing import Rewrite
from ordermill.store.ledger import Ledger
from ordermill.web import telling
from ordermill.web.bodies import read_body
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import read_query
from ordermill.web.shapes import Shape

Identifier = Annotated[str, Meta(min_length=1, max_length=320)]


class PersonToErase(msgspec.Struct, kw_only=True, rename="camel"):
    """Exactly one of the four."""

    email: Identifier | None = None
    phone: Identifier | None = None
    ext: Identifier | None = None
    loyalty: Identifier | None = None


class Erasure(Shape, kw_only=True):
    """What was erased. `versions`: recorded versions and failed orders; `answers`: kept answers to Idempotency-Keys."""

    orders: int
    versions: int
    identifiers: int
    events: int
    answers: int


class Erasures:
    """The handler."""

    def __init__(self, ledger: Ledger, rewrite: Rewrite) -> None:
        self.ledger = ledger
        self.rewrite = rewrite

    async def erase(self, request: Request) -> Reply:
        """POST /erasures: 200 with the counts, all 0 when nobody was found. Saying it twice does no harm."""
        read_query(request.query(), ())
        asked = read_body(request, PersonToErase)
        named = [Person(kind, value) for kind in KINDS if (value := getattr(asked, kind))]
        if len(named) != 1 or not named[0].spelling:
            raise Invalid("name exactly one of email, phone, ext, loyalty", field="email")
        done: Erased = await self.ledger.erase(request.who, named[0], self.rewrite)
        return telling.write(
            Erasure(
                orders=done.orders, versions=done.versions, identifiers=done.identifiers, events=done.events,
                answers=done.answers,
            )
        )  # fmt: skip

    def calls(self) -> tuple[Call, ...]:
        return (
            Call(
                method="POST",
                pattern="/erasures",
                id="erasePerson",
                tag="Orders",
                summary="Erase a person from orders, history, documents as sent, events and contacts",
                description="Orders, batches and their sums stay; who it was goes. Only in the key's own mode.",
                handler=self.erase,
                scope=Scope.ADMIN.value,
                write=True,
                takes=PersonToErase,
                answers=(Answer(status=200, sentence="What was erased.", body=Erasure),),
                examples={"by e-mail": {"email": "jane@example.com"}},
                refuses=(415, 422),
            ),
        )
