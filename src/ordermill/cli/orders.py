"""`ordermill orders`: list, show, export, erase."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ordermill.cli.batches import _save as save
from ordermill.cli.batches import json_option, jsonl_option, show_all, test_option
from ordermill.cli.connecting import connected, server_options
from ordermill.cli.options import fail, store_options, sure
from ordermill.cli.showing import as_json, note, number, table
from ordermill.cli.times import instant

F = TypeVar("F", bound=Callable[..., Any])
CONTRACTS = click.Choice(["brevo", "karrio", "centra"])


def filter_options(command: F) -> F:
    options = (
        click.option("--contract", type=CONTRACTS, help="Only orders of this contract."),
        click.option("--source", multiple=True, help="Only orders of this source or store; repeat for several."),
        click.option("--reference", multiple=True, help="Only orders with this reference; repeat for several."),
        click.option("--status", multiple=True, help="Only orders in this state; repeat for several."),
        click.option("--email", help="Only orders of the contact with this address."),
        click.option("--since", metavar="24h|DATE", help="Only orders that first came in since."),
        click.option("--placed-since", metavar="24h|DATE", help="Only orders placed since."),
        click.option("--placed-until", metavar="24h|DATE", help="Only orders placed before."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def filters(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the filters out of the options, as the client has them."""
    return {
        "contract": options.pop("contract"),
        "source": list(options.pop("source")),
        "reference": list(options.pop("reference")),
        "status": list(options.pop("status")),
        "email": options.pop("email"),
        "received_since": instant(options.pop("since")),
        "placed_since": instant(options.pop("placed_since")),
        "placed_until": instant(options.pop("placed_until")),
    }


@click.group()
def orders() -> None:
    """List, show, export and erase orders."""


@orders.command("list")
@filter_options
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
@jsonl_option
@test_option
@server_options
@store_options
def list_(limit: int, json_: bool, jsonl: bool, **options: Any) -> None:
    """Orders, newest first."""
    asked = filters(options)
    with connected(options) as client:
        found = [order for order, _ in zip(client.orders(**asked, limit=min(limit, 100)), range(limit), strict=False)]
    show_all(found, json_, jsonl, _table)
    if not found:
        sys.exit(6)


def _table(found: list[Any]) -> None:
    rows = [("reference", "contract", "source", "status", "amount", "", "placed", "rev", "id")]
    rows += [
        (
            o.reference,
            o.contract,
            o.source,
            o.status,
            o.amount or "",
            o.currency or "",
            o.placed_at[:10],
            number(o.revision),
            o.id[:12] + "…",
        )
        for o in found
    ]
    table(rows, right=(4, 7))


@orders.command("show")
@click.argument("order")
@click.option("--contract", type=CONTRACTS, help="The contract, where ORDER is the merchant's reference.")
@click.option("--source", help="The source or store, where several have that reference.")
@click.option("--as", "as_", type=CONTRACTS, help="As this contract shows it.")
@click.option("--raw", is_flag=True, help="As it was sent.")
@click.option("--history", is_flag=True, help="Every version, and what it changed.")
@json_option
@test_option
@server_options
@store_options
def show(
    order: str,
    contract: str | None,
    source: str | None,
    as_: Any,
    raw: bool,
    history: bool,
    json_: bool,
    **options: Any,
) -> None:
    """One order, by its id (or the beginning of one that is unique) or by the merchant's reference."""
    with connected(options) as client:
        found = _find(client, order, contract, source)
        if raw:
            sys.stdout.buffer.write(client.raw(found.id) + b"\n")
        elif as_:
            as_json(client.order_as(found.id, as_))
        elif history:
            as_json(client.history(found.id))
        elif json_:
            as_json(found)
        else:
            _show(found)


def _find(client: Any, said: str, contract: str | None, source: str | None) -> Any:
    if said.startswith("ord_") and len(said.removesuffix("…")) == 36:
        return client.order(said)
    if said.startswith("ord_"):
        start = said.removesuffix("…")
        near = [o for o, _ in zip(client.orders(), range(10_000), strict=False) if o.id.startswith(start)]
        if len(near) == 1:
            return client.order(near[0].id)
        fail(
            "there is no order with that id"
            if not near
            else f"{len(near)} orders have an id like that; give more of it",
            6,
        )
    asked: dict[str, Any] = {"reference": said, "contract": contract}
    if source is not None:
        asked["source"] = source
    near = [o for o, _ in zip(client.orders(**asked), range(20), strict=False)]
    if len(near) == 1:
        return client.order(near[0].id)
    if not near:
        fail(f"there is no order {said!r}", 6)
    places = ", ".join(sorted({f"{o.contract} {o.source}".strip() for o in near}))
    fail(f"{len(near)} orders have the reference {said!r} ({places}); name --contract or --source", 2)


def _show(order: Any) -> None:
    rows = [
        ("reference", order.reference),
        ("id", order.id),
        ("contract", f"{order.contract} {order.source}".rstrip()),
        ("status", f"{order.status}{'  (released)' if order.released else ''}"),
        ("amount", f"{order.amount or '–'} {order.currency or ''}".rstrip()),
        ("placed", order.placed_at),
        ("updated", order.updated_at),
        ("received", order.received_at),
        ("revision", number(order.revision)),
    ]
    content = order.content
    if content is not None:
        rows += [(f"  {kind}", value) for kind, value in content.identifiers.items()]
        for word, address in (("ship to", content.ship_to), ("bill to", content.bill_to)):
            if address is not None:
                parts = (
                    address.name,
                    address.company,
                    address.line1,
                    address.postal_code,
                    address.city,
                    address.country_code or address.country,
                )
                rows.append((word, ", ".join(part for part in parts if part)))
        for line in content.lines:
            what = line.title or line.sku or line.product_id or "–"
            rows.append((f"  {line.quantity} ×", f"{what}   {line.unit_price or ''}"))
    table(rows)


@orders.command("export")
@filter_options
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson", show_default=True)
@click.option("--as", "as_", type=CONTRACTS, help="NDJSON in the form in which this contract is sent orders.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Standard output unless told."
)
@click.option("--raw", is_flag=True, help="CSV without the quote before what looks like a formula.")
@test_option
@server_options
@store_options
def export(form: str, as_: str | None, out: Path | None, raw: bool, **options: Any) -> None:
    """Orders with their content, oldest first, as many as there are."""
    asked = filters(options)
    extra = {"as": as_, "raw": True if raw else None}
    with connected(options) as client:
        save(out or Path("-"), client.export(form, **asked, **extra))
    if out is not None:
        note(f"written to {out}")


@orders.command("erase")
@click.option("--email", help="The person's e-mail address.")
@click.option("--phone", help="The person's phone number, as it was sent.")
@click.option("--ext", help="The person's external id.")
@click.option("--loyalty", help="The person's loyalty id.")
@click.option("--yes", is_flag=True, help="Without asking.")
@json_option
@test_option
@server_options
@store_options
def erase(yes: bool, json_: bool, **options: Any) -> None:
    """Erase a person from orders, history, documents as sent, events and contacts. Sums stay; it cannot be undone."""
    named = {kind: value for kind in ("email", "phone", "ext", "loyalty") if (value := options.pop(kind))}
    if len(named) != 1:
        raise click.UsageError("name one of --email, --phone, --ext, --loyalty")
    if not yes:
        sure(f"Erase {next(iter(named.values()))}? This cannot be undone", "erase")
    with connected(options) as client:
        erased = client.post("/erasures", named)
    if json_:
        as_json(erased)
    else:
        click.echo(
            f"{erased['orders']} orders, {erased['versions']} versions, {erased['identifiers']} identifiers erased"
        )
