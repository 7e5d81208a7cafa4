"""`ordermill webhooks`: endpoints, their deliveries and tests, on the ledger itself, with the server running or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ordermill.cli.options import fail, settings, store_options, told_plainly
from ordermill.core.account import DEFAULT_ACCOUNT

if TYPE_CHECKING:
    from ordermill.core.batch import Sender
    from ordermill.core.endpoints import Endpoints
    from ordermill.store.outbox import Outbox

Work = Callable[["Bench"], Awaitable[None]]


class Bench:
    """What the commands work with: the rules, the store, and on whose behalf."""

    def __init__(self, endpoints: Endpoints, outbox: Outbox, sender: Sender) -> None:
        self.endpoints = endpoints
        self.outbox = outbox
        self.sender = sender

    def number(self, prefix: str, said: str) -> int:
        """The number behind an id. Ends the program when it is none of this account and mode."""
        from ordermill.core import ids

        number = ids.parse(prefix, said, self.sender.account_id, self.sender.mode)
        if number is None:
            fail(f"{said} is no id of this account and mode: it should look like {prefix}_ and 32 characters", 2)
        return number

    def spell(self, prefix: str, number: int) -> str:
        from ordermill.core import ids

        return ids.spell(prefix, self.sender.account_id, self.sender.mode, number)


def whose(command: Any) -> Any:
    """--account, --test, --data and --database-url, the same on every command here."""
    command = click.option("--test", "test", is_flag=True, help="The endpoints of test data.")(command)
    command = click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Whose endpoints.")(command)
    return store_options(command)


@asynccontextmanager
async def bench(account: str, test: bool, **options: Any) -> AsyncIterator[Bench]:
    from ordermill.app import VOICES, clock, make_engine, make_pipeline, prepare
    from ordermill.core.batch import Sender
    from ordermill.core.order import Mode
    from ordermill.store import accounts
    from ordermill.store.ledger import Ledger

    config = settings(**options)
    engine = make_engine(config)
    prepare(engine, config)
    ledger = Ledger(engine, clock, VOICES)
    pipeline = make_pipeline(ledger, config)
    try:
        found = await ledger.lanes.read(lambda tx: accounts.get_account_by_name(tx, account))
        sender = Sender(account_id=found.id, mode=Mode.TEST if test else Mode.LIVE, key_id="cli")
        yield Bench(pipeline.endpoints, ledger.outbox, sender)
    finally:
        await pipeline.stop(0)
        ledger.close()
        engine.close()


def run(work: Work, options: dict[str, Any]) -> None:
    """Does something on the ledger, and tells plainly what can go wrong."""
    import asyncio

    from ordermill.web.observe import set_up_logging

    async def main() -> None:
        async with bench(**options) as at:
            await work(at)

    set_up_logging("error")
    with told_plainly():
        asyncio.run(main())


def show(value: Any) -> None:
    """One JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


@click.group()
def webhooks() -> None:
    """Who is told of orders and batches, and whether it arrived."""


@webhooks.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@whose
def list_(as_json: bool, **options: Any) -> None:
    """All endpoints, oldest first."""
    from ordermill.web import webhook_shapes as shapes

    async def work(at: Bench) -> None:
        found = [shapes.endpoint(entry) for entry in await at.endpoints.find_all(at.sender)]
        if as_json:
            show(found)
        for entry in found if not as_json else ():
            wanted = ",".join(entry.events) or "all events"
            last = f"   last error {entry.last_error}" if entry.last_error else ""
            click.echo(f"{entry.id}  {entry.state:<8} {entry.url}   {wanted}{last}")
        if not found:
            click.echo("no endpoint yet: ordermill webhooks add URL", err=True)

    run(work, options)


@webhooks.command("add")
@click.argument("url")
@click.option("--events", default="", help="Event types, comma list; order.*, batch.* and * stand for several.")
@click.option("--description", default="")
@click.option("--format", "format_", type=click.Choice(["plain", "cloudevents"]), default="plain", show_default=True)
@click.option(
    "--ordering", type=click.Choice(["none", "per_order", "strict"]), default="per_order", show_default=True,
    help="What waits for what: nothing, an order's newer event for its older one, or everything.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@whose
def add(url: str, events: str, description: str, format_: str, ordering: str, as_json: bool, **options: Any) -> None:
    """Have events sent to URL. Prints the secret that signs them."""
    from ordermill.core.delivery import Format, Ordering
    from ordermill.core.delivery_query import NewEndpoint
    from ordermill.web import webhook_shapes as shapes

    new = NewEndpoint(
        url=url,
        description=description,
        events=tuple(word.strip() for word in events.split(",") if word.strip()),
        format=Format(format_),
        ordering=Ordering(ordering),
    )

    async def work(at: Bench) -> None:
        made = shapes.made_endpoint(await at.endpoints.create(at.sender, new))
        if as_json:
            show(made)
            return
        click.echo(made.secret)
        click.echo(f"endpoint {made.id}; try it: ordermill webhooks test {made.id}", err=True)

    run(work, options)


@webhooks.command("show")
@click.argument("endpoint_id")
@whose
def show_one(endpoint_id: str, **options: Any) -> None:
    """One endpoint and how it fares."""
    from ordermill.web import webhook_shapes as shapes

    async def work(at: Bench) -> None:
        number = at.number("we", endpoint_id)
        found = await at.endpoints.get(at.sender, number)
        show(shapes.endpoint_detail(found, await at.endpoints.find_stats(at.sender, number)))

    run(work, options)


@webhooks.command("test")
@click.argument("endpoint_id")
@whose
def test_(endpoint_id: str, **options: Any) -> None:
    """Send a ping now. Ends with 5 when it did not arrive."""
    import sys

    from ordermill.web import webhook_shapes as shapes

    told: list[shapes.Tested] = []

    async def work(at: Bench) -> None:
        number = at.number("we", endpoint_id)
        tried = await at.endpoints.test(at.sender, number)
        told.append(shapes.tested(await at.endpoints.get(at.sender, number), tried))

    run(work, options)
    came = told[0]
    word = "arrived" if came.delivered else f"failed: {came.error}"
    click.echo(f"{word}   {came.status or '-'}   {came.took_ms} ms   {came.answer[:200]}")
    sys.exit(0 if came.delivered else 5)


def _becomes(name: str, state: str, sentence: str) -> None:
    """A command that sets an endpoint's state."""

    @whose
    @click.argument("endpoint_id")
    def command(endpoint_id: str, **options: Any) -> None:
        from ordermill.core.delivery import EndpointState
        from ordermill.core.endpoints import Change

        async def work(at: Bench) -> None:
            change = Change(state=EndpointState(state))
            changed = await at.endpoints.change(at.sender, at.number("we", endpoint_id), change)
            click.echo(f"{endpoint_id} is {changed.state.value}")

        run(work, options)

    webhooks.command(name, help=sentence)(command)


_becomes("pause", "paused", "Gather what is owed to an endpoint and send nothing, until it is enabled.")
_becomes("enable", "active", "Send to a paused or disabled endpoint again, beginning with what waits.")


@webhooks.command("remove")
@click.argument("endpoint_id")
@whose
def remove(endpoint_id: str, **options: Any) -> None:
    """Send nothing more to an endpoint; the log of its deliveries stays for its time."""

    async def work(at: Bench) -> None:
        await at.endpoints.delete(at.sender, at.number("we", endpoint_id))

    run(work, options)


@webhooks.command("rotate-secret")
@click.argument("endpoint_id", required=False)
@whose
def rotate_secret(endpoint_id: str | None, **options: Any) -> None:
    """A new secret for an endpoint; without one, for the calls to a batch's notifyUrl.

    For 24 hours the old one signs beside it.
    """

    async def work(at: Bench) -> None:
        if endpoint_id is None:
            click.echo((await at.outbox.rotate_notify_secret(at.sender.account_id)).notify_secret)
            return
        click.echo((await at.endpoints.rotate_secret(at.sender, at.number("we", endpoint_id))).secret)

    run(work, options)


@webhooks.command("secret")
@click.argument("endpoint_id", required=False)
@whose
def secret(endpoint_id: str | None, **options: Any) -> None:
    """The secret of an endpoint; without one, that of the calls to a batch's notifyUrl."""

    async def work(at: Bench) -> None:
        if endpoint_id is not None:
            click.echo((await at.endpoints.get(at.sender, at.number("we", endpoint_id))).secret)
        else:
            click.echo((await at.outbox.find_account(at.sender.account_id)).notify_secret)

    run(work, options)


@webhooks.command("deliveries")
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--pending", is_flag=True, help="Only those that wait.")
@click.option("--endpoint", "endpoint_id", help="Only those to this endpoint.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON array, with every attempt.")
@whose
def deliveries(failed: bool, pending: bool, endpoint_id: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """What was sent where, and what came of it, newest first."""
    from ordermill.core.delivery import DeliveryState
    from ordermill.core.delivery_query import DeliveryQuery
    from ordermill.web import webhook_shapes as shapes

    state = DeliveryState.EXHAUSTED if failed else DeliveryState.PENDING if pending else None

    async def work(at: Bench) -> None:
        query = DeliveryQuery(
            state=state, endpoint_id=at.number("we", endpoint_id) if endpoint_id else None, limit=limit
        )
        page = await at.endpoints.find_deliveries(at.sender, query)
        if as_json:
            show([
                shapes.delivery_detail(entry, await at.endpoints.find_attempts(at.sender, entry.id))
                for entry in page.entries
            ])  # fmt: skip
            return
        for entry in map(shapes.delivery, page.entries):
            came = entry.last_error or entry.last_status or "-"
            following = f"   next {entry.next_attempt_at}" if entry.next_attempt_at else ""
            click.echo(f"{entry.id}  {entry.state:<9} {entry.type:<28} {entry.attempts} × {came}{following}")

    run(work, options)


@webhooks.command("replay")
@click.argument("delivery_id", required=False)
@click.option("--endpoint", "endpoint_id", help="Everything this endpoint did not get; needs --since.")
@click.option("--since", help="From when on: 6h, 2d, or an instant such as 2026-11-20T09:30:00Z.")
@click.option("--failed", is_flag=True, help="Only what was given up, of one endpoint or of all.")
@whose
def replay(delivery_id: str | None, endpoint_id: str | None, since: str | None, failed: bool, **options: Any) -> None:
    """Send again: one delivery, what was given up (--failed), or all that an endpoint missed (--endpoint --since)."""
    from ordermill.core.delivery_query import DeliveryQuery

    start = None if since is None else _since(since)
    if not delivery_id and not failed and not (endpoint_id and since):
        fail("say which: a delivery's id, --failed, or --endpoint and --since", 2)

    async def work(at: Bench) -> None:
        number = at.number("we", endpoint_id) if endpoint_id else None
        if delivery_id:
            await at.endpoints.resend(at.sender, at.number("dlv", delivery_id))
            count = 1
        elif failed:
            after = None if start is None else start - 1
            count = await at.endpoints.replay(at.sender, DeliveryQuery(endpoint_id=number, created_after=after))
        else:
            assert number is not None
            assert start is not None
            count = await at.endpoints.recover(at.sender, number, start)
        click.echo(f"{count} owed once more; a running server sends them now")

    run(work, options)


def _since(text: str) -> int:
    """µs since 1970 UTC. Ends the program for what is no point in time."""
    from ordermill.cli.times import instant
    from ordermill.web.parameters import read_moment

    return read_moment(instant(text) or "")


@webhooks.command("listen")
@click.option("--port", default=9090, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--secret", "given", multiple=True, help="What verifies; repeat for several. Default: all of this ledger."
)
@click.option("--status", default=200, show_default=True, type=click.IntRange(200, 599), help="What to answer.")
@click.option("--bodies", is_flag=True, help="Print the bodies as well.")
@whose
def listen(port: int, given: tuple[str, ...], status: int, bodies: bool, **options: Any) -> None:
    """A receiver on 127.0.0.1 that verifies and prints. The server must allow it: ORDERMILL_WEBHOOK_ALLOW=127.0.0.1."""
    from ordermill.cli.listening import listen as serve

    secrets: list[str] = []

    async def work(at: Bench) -> None:
        secrets[:] = [entry.secret for entry in await at.endpoints.find_all(at.sender) if entry.secret]
        secrets.append((await at.outbox.find_account(at.sender.account_id)).notify_secret)

    def of_ledger() -> tuple[str, ...]:
        run(work, options)
        return tuple(secrets)

    serve(port, (lambda: given) if given else of_ledger, status=status, bodies=bodies)
