"""Brevo's calls: path, verb and status code around one Mill call each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice

import msgspec

from ordermill.core.batch import ErrorPolicy, Settled, Submission
from ordermill.core.errors import Forbidden
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill, single
from ordermill.dialects.brevo import inbound, outbound, problems, queries, wire
from ordermill.dialects.dialect import Dialect
from ordermill.web.http import Reply, Request, Route, in_chunks

PREFIX = "/v3"
ACTIVATED = b'{"message":"eCommerce is active: orders are accepted"}'


class Settings(msgspec.Struct, frozen=True):
    """What an operator can change. `policy`: what a bad order does to its batch. `active`: orders are taken at all."""

    policy: ErrorPolicy = ErrorPolicy.REJECT_ALL
    active: bool = True


class Calls:
    """The handlers. Errors are Refusals; the guard has them written by `outbound.write_refusal`."""

    def __init__(self, mill: Mill, limits: Limits, settings: Settings) -> None:
        self.mill = mill
        self.limits = limits
        self.settings = settings

    async def create_order(self, request: Request) -> Reply:
        """POST /orders/status: one order, live. 204 created, updated, unchanged or older than what is known."""
        self.check_active()
        draft = inbound.read_draft("0", request.body, now=request.now, limits=self.limits)
        submission = Submission(
            dialect=wire.NAME, drafts=(draft,), single=True, announce=True, size_bytes=len(request.body)
        )
        refuse_bad(submission)

        def reply(settled: Settled) -> Reply:
            single(settled)
            return Reply(204)

        return reply(await self.mill.submit(request.who, submission, request.memo(reply)))

    async def create_batch(self, request: Request) -> Reply:
        """POST /orders/status/batch: 202 with the batch's number once everything is durable."""
        self.check_active()
        options, raws = inbound.read_envelope(request.body, self.limits)
        drafts = await in_chunks(enumerate(raws), inbound.draft_reader(options, self.limits))
        submission = inbound.write_submission(
            options, drafts, size_bytes=len(request.body), policy=self.settings.policy
        )
        refuse_bad(submission)
        return write_settled(await self.mill.submit(request.who, submission, request.memo(write_settled)))

    async def list_orders(self, request: Request) -> Reply:
        """GET /orders: a page of the orders that came in through this contract."""
        self.check_active()
        query = queries.read_order_query(request.query(), self.limits)
        return Reply(200, outbound.write_orders(await self.mill.find_orders(request.who, query)))

    async def activate(self, request: Request) -> Reply:
        """POST /ecommerce/activate: active from the start, so there is nothing to do."""
        self.check_active()
        return Reply(200, ACTIVATED)

    def check_active(self) -> None:
        if not self.settings.active:
            raise Forbidden("eCommerce is switched off here; ask the operator of this server")


def refuse_bad(submission: Submission) -> None:
    """Raises Invalid with the full paths of all problems, where one problem is the answer to the whole request."""
    if submission.policy is not ErrorPolicy.REJECT_ALL and not submission.single:
        return
    total = sum(len(draft.problems) for draft in submission.drafts)
    if total:
        found = problems.located(submission.drafts, single=submission.single)
        raise problems.refuse(tuple(islice(found, problems.PROBLEMS_MAX)), total)


def write_settled(settled: Settled) -> Reply:
    """202 (contract section 6), and in headers of ours what the body has no room for."""
    received = len(settled.items)
    failed = settled.counts.failed
    headers = (
        ("ordermill-batch-id", str(settled.batch_id)),
        ("ordermill-accepted", str(received - failed)),
        ("ordermill-rejected", str(failed)),
    )
    return Reply(202, outbound.write_accepted(settled.batch_id, received), headers=headers)


def read_key(headers: Mapping[str, str]) -> str | None:
    """`api-key`, or a bearer token as the newest SDKs may send it (contract section 1)."""
    key = headers.get("api-key", "").strip()
    if key:
        return key
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def build(mill: Mill, limits: Limits, settings: Settings) -> Dialect:
    """The contract, ready to be mounted."""
    calls = Calls(mill, limits, settings)
    return Dialect(
        name=wire.NAME,
        prefix=PREFIX,
        routes=(
            Route("POST", "/orders/status", calls.create_order),
            Route("POST", "/orders/status/batch", calls.create_batch),
            Route("GET", "/orders", calls.list_orders, scope="orders:read", write=False),
            Route("POST", "/ecommerce/activate", calls.activate),
        ),
        read_key=read_key,
        write_refusal=outbound.write_refusal,
        throttle_headers=outbound.throttle_headers,
        read_batch=partial(inbound.read_batch, limits=limits),
        read_draft=partial(inbound.read_draft, limits=limits),
        read_content=outbound.read_content,
        write_content=outbound.write_content,
        write_order_request=outbound.write_order_request,
        write_batch=outbound.write_batch,
        body_bytes_max=limits.brevo_body_bytes,
        orders_max=limits.brevo_orders,
    )
