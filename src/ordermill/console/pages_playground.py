"""The playground: one order in three contracts, sent for real in test mode or only checked, and as code."""

from __future__ import annotations

import json
import shlex
from typing import Any

import msgspec
from starlette.responses import Response

from ordermill import examples
from ordermill.console.masking import pretty
from ordermill.console.pages_orders import Face
from ordermill.console.pages_requests import KEY_HEADER, get_exchange
from ordermill.console.requests_log import batch_number
from ordermill.console.visit import Page, Visit
from ordermill.core import ids
from ordermill.core.account import Scope
from ordermill.core.batch import Draft, Problem
from ordermill.core.errors import Forbidden, Refusal, TooLarge
from ordermill.core.order import Content, Mode, NewOrder, Order, OrderKey
from ordermill.dialects.dialect import Dialect

BODY_MAX = 1024 * 1024
WRITE = Scope.ORDERS_WRITE.value


class CallSpec(msgspec.Struct, frozen=True):
    """A call that can be tried. `single`: its body is one order."""

    path: str
    contract: str
    single: bool = False


CALLS = (
    CallSpec("/v3/orders/status", "brevo", True),
    CallSpec("/v3/orders/status/batch", "brevo"),
    CallSpec("/v1/orders", "karrio", True),
    CallSpec("/v1/batches/orders", "karrio"),
    CallSpec("/centra/order", "centra", True),
    CallSpec("/centra/orders", "centra"),
)
SAMPLES = (
    ("brevo-order", "Brevo: one order", "/v3/orders/status"),
    ("brevo-batch", "Brevo: a batch", "/v3/orders/status/batch"),
    ("brevo-wrong", "Brevo: an order without a status", "/v3/orders/status"),
    ("karrio-batch", "Karrio: three orders, one wrong", "/v1/batches/orders"),
    ("karrio-order", "Karrio: one order", "/v1/orders"),
    ("centra-batch", "Centra: two orders, one wrong", "/centra/orders"),
)


class Try(msgspec.Struct, kw_only=True):
    """What is on the page: the call, its body, and what came of it."""

    call: CallSpec
    body: str
    drafts: tuple[Draft, ...] = ()
    envelope: Refusal | None = None
    faces: tuple[Face, ...] = ()
    checked: bool = False
    status: int | None = None
    took_us: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    batch_id: int | None = None
    order: str = ""

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """Each with the name its order is found by: people count the orders of a list from 1."""
        named = [
            (str(number) if draft.key == str(number - 1) else draft.key, draft)
            for number, draft in enumerate(self.drafts, 1)
        ]
        return [(name, problem) for name, draft in named for problem in draft.problems]


async def playground(visit: Visit) -> Response:
    """GET /playground: a sample, an earlier request or an order to begin with."""
    asked = visit.query
    if "request" in asked:
        visit.params = {"id": asked["request"]}
        entry = get_exchange(visit)
        call = next((call for call in CALLS if call.path == entry.path), CALLS[1])
        return await _show(visit, Try(call=call, body=pretty(entry.body)))
    name = asked.get("sample", "")
    if not name:
        path = asked.get("call", "/v1/batches/orders")
        name = next((name for name, _, of in SAMPLES if of == path), "karrio-batch")
    path = next((path for known, _, path in SAMPLES if known == name), "/v1/batches/orders")
    return await _show(visit, Try(call=_call(path), body=sample(name)), name)


async def act(visit: Visit) -> Response:
    """POST /playground: sent (in test mode, always), or read and judged without being sent."""
    body = visit.field("body").replace("\r\n", "\n")
    if len(body) > BODY_MAX:
        raise TooLarge("The playground takes bodies up to 1 MB.", hint="Use Import, or send it from a client.")
    tried = Try(call=_call(visit.field("call")), body=body)
    if visit.field("do") == "send":
        await _send(visit, tried)
    else:
        tried.checked = True
    return await _show(visit, tried)


def _call(path: str) -> CallSpec:
    return next((call for call in CALLS if call.path == path), CALLS[3])


async def _send(visit: Visit, tried: Try) -> None:
    """Raises Forbidden for who signed in with a live key: what they send could not be shown to them."""
    if visit.fixed_mode and not visit.test:
        raise Forbidden(_why_not_send(visit))
    started = visit.console.clock()
    reply = await visit.console.inside.call(visit.session, "POST", tried.call.path, tried.body.encode(), mode=Mode.TEST)
    tried.took_us = visit.console.clock() - started
    tried.status = reply.status
    tried.headers = reply.headers
    tried.answer = pretty(reply.body)
    sender = msgspec.structs.replace(visit.sender, mode=Mode.TEST)
    tried.batch_id = batch_number(dict(reply.headers).get("ordermill-batch-id", ""), sender)
    await visit.note("sent from the playground", tried.call.path, f"answered {reply.status}")


def _why_not_send(visit: Visit) -> str:
    if visit.fixed_mode and not visit.test:
        return (
            "The playground sends in test mode, and your key is a live one. Sign in with a test key or a one-time link."
        )
    return visit.why_not(WRITE)


async def _show(visit: Visit, tried: Try, name: str = "") -> Response:
    _read(visit, tried)
    order = next((draft.order for draft in tried.drafts if draft.order is not None), None)
    if order is not None:
        tried.faces = _faces(visit, order)
        if tried.status is not None and tried.status < 400:
            tried.order = await _find(visit, order)
    return await visit.page(
        "playground.html",
        title="Playground",
        nav="playground",
        tried=tried,
        calls=CALLS,
        samples=SAMPLES,
        chosen=name,
        why=_why_not_send(visit),
        snippets=snippets(visit, tried),
    )


def _read(visit: Visit, tried: Try) -> None:
    """The drafts in the body, as its contract reads it."""
    dialect: Dialect = visit.console.dialects[tried.call.contract]
    body = tried.body.encode("utf-8", "replace")
    try:
        if tried.call.single:
            tried.drafts = (dialect.read_draft("0", body, now=visit.now, source=""),)
        else:
            tried.drafts = dialect.read_batch(body, now=visit.now, source="").drafts
    except Refusal as refusal:
        tried.envelope = refusal


def _faces(visit: Visit, new: NewOrder) -> tuple[Face, ...]:
    """The first good order of the body as each contract would be sent it."""
    content = _content(visit, new)
    found = []
    for name, dialect in visit.console.dialects.items():
        try:
            document, lost = dialect.write_order_request(content)
            found.append(Face(name, pretty(document), lost))
        except (Refusal, ValueError, KeyError, TypeError) as error:
            found.append(Face(name, "", why=str(error)))
    return tuple(found)


def _content(visit: Visit, new: NewOrder) -> Content:
    order = Order(
        id=0, account_id=visit.account_id, mode=Mode.TEST, dialect=new.dialect, source=new.source,
        reference=new.reference or "(allotted on receipt)", revision=1, status=new.status, placed_at=new.placed_at,
        updated_at=new.updated_at or visit.now, received_at=visit.now, changed_at=visit.now, amount=new.amount,
        currency=new.currency, contact_id=None, content_hash=new.content_hash, request_id=new.request_id,
        released=False, document=new.document,
    )  # fmt: skip
    return visit.console.dialects[new.dialect].read_content(order)


async def _find(visit: Visit, new: NewOrder) -> str:
    """The id of the order that the first draft has become; '' where its reference was allotted on receipt."""
    if new.reference is None:
        return ""
    sender = msgspec.structs.replace(visit.sender, mode=Mode.TEST)
    key = OrderKey(new.dialect, new.source, new.reference)
    order = await visit.console.mill.find_order_by_key(sender, key)
    return "" if order is None else ids.spell("ord", order.account_id, order.mode, order.id)


def sample(name: str) -> str:
    """One of the documented examples, or what was made of one."""
    if name in ("brevo-order", "brevo-batch", "karrio-batch", "centra-batch"):
        return pretty(examples.body(name.replace("-", "_")))
    if name == "brevo-wrong":
        order: dict[str, Any] = json.loads(examples.body("brevo_order"))
        order.pop("status", None)
        return pretty(msgspec.json.encode(order))
    first = msgspec.json.decode(examples.body("karrio_batch"), type=dict[str, list[msgspec.Raw]])["orders"][0]
    return pretty(bytes(first))


def snippets(visit: Visit, tried: Try) -> list[tuple[str, str]]:
    """The call as curl, Python and Node."""
    url = visit.base_url + tried.call.path
    header, _, value = KEY_HEADER[tried.call.contract].partition(": ")
    prefix = value.removesuffix("$KEY")
    curl = (
        f'curl -X POST {shlex.quote(url)} \\\n  -H "{header}: {value}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n  --data-binary {shlex.quote(tried.body)}"
    )
    python = (
        "import os, urllib.request\n\n"
        f"body = {_python_text(tried.body)}\n"
        "request = urllib.request.Request(\n"
        f'    "{url}",\n    data=body.encode(),\n'
        f'    headers={{"{header}": "{prefix}" + os.environ["KEY"], "Content-Type": "application/json"}},\n)\n'
        "with urllib.request.urlopen(request) as answer:\n    print(answer.status, answer.read().decode())"
    )
    node = (
        f"const body = {json.dumps(tried.body)};\n"
        f'const answer = await fetch("{url}", {{\n  method: "POST",\n'
        f'  headers: {{"{header}": "{prefix}" + process.env.KEY, "Content-Type": "application/json"}},\n'
        "  body,\n});\nconsole.log(answer.status, await answer.text());"
    )
    return [("curl", curl), ("Python", python), ("Node", node)]


def _python_text(text: str) -> str:
    if "'''" in text or "\\" in text or text.endswith("'"):
        return repr(text)
    return f"'''{text}'''"


PAGES = (
    Page("GET", "/playground", playground),
    Page("POST", "/playground", act, scope=WRITE),
)
