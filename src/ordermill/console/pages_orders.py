"""Orders: searching and filtering, and one order with its history, its versions and its face in every contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from starlette.responses import RedirectResponse, Response

from ordermill.console import formats, listing
from ordermill.console.listing import PAGE, Column
from ordermill.console.masking import pretty
from ordermill.console.pages_webhooks import of_order, resend_events_of
from ordermill.console.visit import Page, Visit, iso
from ordermill.core import ids
from ordermill.core.account import Scope
from ordermill.core.delivery import Delivery, DeliveryState
from ordermill.core.erasing import KINDS
from ordermill.core.errors import Conflict, Invalid, NotFound, Refusal
from ordermill.core.event import Event
from ordermill.core.order import Content, Line, Order
from ordermill.core.query import OrderQuery
from ordermill.core.watching import WINDOW, OrderHits, OrderSearch
from ordermill.web.history import write_history
from ordermill.web.shapes import Version
from ordermill.web.warnings import ALWAYS, find_warnings, has_warnings

_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,9})?")
_COUNTRY = re.compile(r"[A-Z]{2}")
_BATCH = re.compile(r"bch_(\d{1,15})")
TABS = ("content", "sent", "brevo", "karrio", "centra", "events")
CONTACT = {"ext": "customer id", "loyalty": "loyalty id"}
FILTERS = ("contract", "status", "source", "since", "before", "from", "to", "currency", "country", "warnings")
LOOKED_INTO = 1_000  # documents that one page reads for the filters that only they can answer
COLUMNS = (
    Column("id", lambda order: spell(order)),
    Column("reference", lambda order: order.reference),
    Column("contract", lambda order: order.dialect),
    Column("source", lambda order: order.source),
    Column("status", lambda order: order.status),
    Column("amount", lambda order: order.amount),
    Column("currency", lambda order: order.currency),
    Column("revision", lambda order: order.revision),
    Column("placed_at", lambda order: iso(order.placed_at)),
    Column("received_at", lambda order: iso(order.received_at)),
    Column("changed_at", lambda order: iso(order.changed_at)),
)


class Face(msgspec.Struct, frozen=True):
    """The order as one contract would be sent it. `lost`: fields that contract has no word for."""

    dialect: str
    text: str
    lost: tuple[str, ...] = ()
    why: str = ""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an order's history: a version that came in, or an event that was announced. `at` in µs."""

    at: int
    version: Version | None = None
    event: Event | None = None
    deliveries: tuple[Delivery, ...] = ()

    @property
    def arrived(self) -> int:
        return sum(one.state is DeliveryState.DELIVERED for one in self.deliveries)

    @property
    def given_up(self) -> bool:
        return any(one.state is DeliveryState.EXHAUSTED for one in self.deliveries)

    @property
    def tries(self) -> int:
        return sum(one.tries for one in self.deliveries)

    @property
    def finished_at(self) -> int | None:
        """When the last of them arrived or was given up; None while one waits."""
        ends = [one.finished_at for one in self.deliveries]
        return None if None in ends else max((end for end in ends if end is not None), default=None)


def history(versions: Sequence[Version], events: Sequence[tuple[Event, Sequence[Delivery]]]) -> list[Moment]:
    """The newest first; an event stands above the version that it tells of."""
    moments = [Moment(at=formats.micros(version.received_at), version=version) for version in versions]
    moments += [Moment(at=event.created_at, event=event, deliveries=tuple(owed)) for event, owed in events]
    return sorted(moments, key=lambda moment: (-moment.at, moment.event is None))


def spell(order: Order) -> str:
    return ids.spell("ord", order.account_id, order.mode, order.id)


async def orders(visit: Visit) -> Response:
    """GET /orders."""
    asked = visit.query.get("q", "").strip()
    if asked and not visit.twin:
        straight = await _straight_to(visit, asked)
        if straight:
            return RedirectResponse(visit.link(straight), 303)
    search = _search(visit)

    async def look(after: int | None, limit: int) -> OrderHits:
        if asked:
            return await _search_for(visit, asked, after, limit)
        query = msgspec.structs.replace(search.query, after_id=after, limit=limit)
        return await visit.console.store.find_orders(visit.sender, msgspec.structs.replace(search, query=query))

    async def fetch(after: int | None, limit: int) -> tuple[Sequence[Order], int | None]:
        hits = await look(after, limit)
        return hits.orders, hits.orders[-1].id if hits.more else hits.resume_below

    if visit.twin:
        return await listing.twin(visit, "ordermill-orders", COLUMNS, fetch)
    until = visit.number("until")
    hits = await look(visit.number("after") or (until + 1 if until is not None else None), PAGE)
    following = hits.orders[-1].id if hits.more else None
    return await visit.page(
        "orders.html",
        title="Orders",
        nav="orders",
        orders=[(spell(order), order) for order in hits.orders],
        asked=asked,
        resume=None if hits.resume_below is None else visit.here(after=hits.resume_below, until=None),
        window=search.window,
        paging=await listing.paging(
            visit, [order.id for order in hits.orders], following,
            lambda than: visit.console.store.count_newer(visit.sender, "orders", than),
        ),
        filtered=bool(asked) or any(visit.query.get(name) for name in FILTERS),
        total=sum((await visit.console.store.count_orders(visit.sender)).values()),
    )  # fmt: skip


def _search(visit: Visit) -> OrderSearch:
    source, status = visit.query.get("source"), visit.query.get("status")
    accepts = _looks_inside(visit)
    return OrderSearch(
        query=OrderQuery(
            dialect=listing.word(visit, "contract", tuple(visit.console.dialects)),
            statuses=(status,) if status else (),
            sources=(source,) if source else (),
            received_after=listing.day(visit, "since"),
            received_before=listing.day(visit, "before", end=True),
            limit=PAGE,
        ),
        amount_from=_amount(visit, "from"),
        amount_to=_amount(visit, "to"),
        currency=visit.query.get("currency", "").upper() or None,
        accepts=accepts,
        window=WINDOW if accepts is None else LOOKED_INTO,
    )


def _looks_inside(visit: Visit) -> Callable[[Order], bool] | None:
    """The filters that only the document can answer. None: none of them is asked for."""
    country, warned = visit.query.get("country", "").upper(), bool(visit.query.get("warnings"))
    if country and not _COUNTRY.fullmatch(country):
        raise Invalid("The filter country must be a code of two letters.", hint="Write it as CH.")
    if not country and not warned:
        return None
    dialects = visit.console.dialects

    def accepts(order: Order) -> bool:
        dialect = dialects[order.dialect]
        return (not country or _goes_to(dialect.read_content(order), country)) and (
            not warned or has_warnings(order, dialect)
        )

    return accepts


def _goes_to(content: Content, country: str) -> bool:
    """Where it is sent to; where nothing is said of that, who pays."""
    address = content.ship_to if content.ship_to is not None else content.bill_to
    said = None if address is None else address.country_code or address.country
    return said is not None and said.upper() == country


def _amount(visit: Visit, name: str) -> str | None:
    said = visit.query.get(name)
    if said is not None and not _AMOUNT.fullmatch(said):
        raise Invalid(f"The filter “Amount {name}” must be an amount.", hint="Write it as 129.00.")
    return said


async def _straight_to(visit: Visit, asked: str) -> str | None:
    """The page of what can only be one thing: a batch id, or an order's own id."""
    found = _BATCH.fullmatch(asked)
    if found:
        return f"/batches/{asked}"
    number = ids.parse("ord", asked, visit.account_id, visit.session.mode)
    return None if number is None else f"/orders/{asked}"


async def _search_for(visit: Visit, asked: str, after: int | None, limit: int) -> OrderHits:
    """Orders of that reference, or of the contact with that e-mail, phone or other identifier."""
    if after is None:
        named = await visit.console.store.find_orders_by_reference(visit.sender, asked)
        if named:
            return OrderHits(orders=named)
    return await visit.console.store.find_orders_of(visit.sender, asked, after, limit)


async def order(visit: Visit) -> Response:
    """GET /orders/{id}."""
    number = ids.parse("ord", visit.params["id"], visit.account_id, visit.session.mode)
    if number is None:
        raise NotFound("There is no such order here.", hint="It may be in the other mode, or of another account.")
    found = await visit.console.mill.get_order(visit.sender, number)
    dialect = visit.console.dialects[found.dialect]
    revisions = await visit.console.mill.find_revisions(visit.sender, number)
    content = None if found.document is None else dialect.read_content(found)
    tab = visit.query.get("tab", "content")
    if tab not in TABS:
        tab = "content"
    wanted = visit.number("version")
    shown = next((r for place, r in enumerate(revisions, 1) if place == wanted), None)
    document = shown.document if shown is not None else found.document
    events = await of_order(visit, number)
    return await visit.page(
        "order.html",
        title=f"Order {found.reference}",
        nav="orders",
        order=found,
        id=visit.params["id"],
        content=content,
        history=history(write_history(found, revisions, dialect), events),
        tab=tab,
        version=wanted if shown is not None else None,
        sent=None if document is None else pretty(document.encode()),
        face=_face(visit, content, tab) if tab in visit.console.dialects and content is not None else None,
        facts=[] if content is None else facts(content),
        lines=[] if content is None else [line_sum(line) for line in content.lines],
        events=events,
        people=[] if content is None else _people(content),
        warnings=[warning for warning in find_warnings(found, dialect) if warning.code not in ALWAYS],
        running=False,
    )


def _people(content: Content) -> list[tuple[str, str]]:
    """(kind, identifier) of whoever the order belongs to, the one that tells most first."""
    return [(kind, content.identifiers[kind]) for kind in KINDS if content.identifiers.get(kind)]


async def erase(visit: Visit) -> Response:
    """POST /orders/{id}/erase: whose order it is goes from every order, version, event and contact.

    The identifier has to be typed once more. It is not written into the audit log: that would keep what was erased.
    """
    number = ids.parse("ord", visit.params["id"], visit.account_id, visit.session.mode)
    if number is None:
        raise NotFound("There is no such order here.", hint="It may be in the other mode, or of another account.")
    found = await visit.console.mill.get_order(visit.sender, number)
    content = None if found.document is None else visit.console.dialects[found.dialect].read_content(found)
    people = [] if content is None else _people(content)
    typed = visit.field("confirm").casefold()
    kind = next((kind for kind, value in people if value.casefold() == typed), None)
    if kind is None:
        raise Conflict("Nothing was erased: what you typed is not an identifier of this order's person.",
                       hint="Type it exactly as the order page shows it.")  # fmt: skip
    answer = await visit.console.inside.ask(visit.session, "POST", "/erasures", {kind: dict(people)[kind]})
    await visit.note("erased a person", visit.params["id"], f"by {kind}")
    orders = "1 order" if answer["orders"] == 1 else f"{answer['orders']} orders"
    return visit.go(f"/orders/{visit.params['id']}", f"Erased: {orders}, {answer['versions']} versions.")


async def replay(visit: Visit) -> Response:
    """POST /orders/{id}/replay: every event of the order once more, the oldest first, to whoever it was for."""
    number = ids.parse("ord", visit.params["id"], visit.account_id, visit.session.mode)
    if number is None:
        raise NotFound("There is no such order here.", hint="It may be in the other mode, or of another account.")
    sent, left = await resend_events_of(visit, number)
    await visit.note("sent an order's events again", visit.params["id"], f"{sent} deliveries")
    say = f"{sent} deliveries are due again." if sent != 1 else "1 delivery is due again."
    if left:
        say += f" {left} could not be: they still wait, or their endpoint is no longer there."
    return visit.go(f"/orders/{visit.params['id']}?tab=events", say, "good" if sent else "bad")


def _face(visit: Visit, content: Content, name: str) -> Face:
    """The order in a contract's words. An order that a contract cannot hold says why."""
    try:
        document, lost = visit.console.dialects[name].write_order_request(content)
    except (Refusal, ValueError, KeyError, TypeError) as error:
        return Face(name, "", why=str(error))
    return Face(name, pretty(document), lost)


def facts(content: Content) -> list[tuple[str, list[tuple[str, str]]]]:
    """What the order says, in groups of (field, value), for people. What was not said is left out."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for title, address in (
        ("Ship to", content.ship_to),
        ("Bill to", content.bill_to),
        ("Ship from", content.ship_from),
    ):
        if address is not None:
            groups.append((title, _named(msgspec.structs.asdict(address))))
    groups.append(("Contact", _named({CONTACT.get(name, name): said for name, said in content.identifiers.items()})))
    rest = {
        "shipping": content.shipping,
        "discount": content.discount,
        "coupons": ", ".join(content.coupons),
        "payment": content.payment_method,
        "store": content.store,
        "comment": content.comment,
    }
    groups.append(("Terms", _named(rest)))
    for title, values in (
        ("Options", content.options),
        ("Metadata", content.metadata),
        ("Further fields", content.extra),
    ):
        groups.append((title, _named(values)))
    return [(title, pairs) for title, pairs in groups if pairs]


def _named(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (formats.field_word(name), _shown(value)) for name, value in values.items() if value not in (None, "", {}, [])
    ]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    return msgspec.json.encode(value, order="deterministic").decode()


def line_sum(line: Line) -> tuple[Line, str | None]:
    """A line and what it comes to, exactly."""
    if line.unit_price is None:
        return line, None
    return line, format(line.unit_price * line.quantity, "f")


PAGES = (
    Page("GET", "/orders", orders, twins=True),
    Page("POST", "/orders/{id}/erase", erase, scope=Scope.ADMIN.value),
    Page("POST", "/orders/{id}/replay", replay, scope=Scope.WEBHOOKS.value),
    Page("GET", "/orders/{id}", order),
)
