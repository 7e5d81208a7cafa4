"""`ordermill erase`: forgets a person in a ledger, with the server running or not."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ordermill.cli.options import settings, store_options, sure, told_plainly
from ordermill.core.account import DEFAULT_ACCOUNT
from ordermill.core.erasing import KINDS, Person


@click.command()
@click.option("--email", help="The person's e-mail address.")
@click.option("--phone", help="The person's phone number, as it was sent.")
@click.option("--ext", help="The person's external id (Brevo ext_id).")
@click.option("--loyalty", help="The person's loyalty id (Brevo).")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="In whose orders.")
@click.option("--test", "test", is_flag=True, help="Among the test orders.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@store_options
def erase(account: str, test: bool, yes: bool, as_json: bool, **options: Any) -> None:
    """Erase a person: from orders, history, documents as sent, events and contacts. Sums and counts stay right."""
    from ordermill.app import clock, make_engine, prepare, rewriter
    from ordermill.core.batch import Sender
    from ordermill.core.order import Mode
    from ordermill.store import accounts, erasing
    from ordermill.store.lanes import in_transaction

    named = [(kind, options.pop(kind)) for kind in KINDS]
    people = [Person(kind, value) for kind, value in named if value]
    if len(people) != 1:
        raise click.UsageError("name one of --email, --phone, --ext, --loyalty")
    if not yes:
        sure(f"Erase {people[0].kind} {people[0].value} from account {account}? This cannot be undone", "erase")
    config = settings(**options)
    rewrite = rewriter(config)
    with told_plainly():
        engine = make_engine(config)
        prepare(engine, config)
        reading, writing = engine.connect(read_only=True), engine.connect()
        with reading.transaction() as tx:
            account_id = accounts.get_account_by_name(tx, account).id
            sender = Sender(account_id=account_id, mode=Mode.TEST if test else Mode.LIVE, key_id="")
            trace = erasing.find(tx, sender, people[0])
        erased = in_transaction(writing, lambda tx: erasing.erase(tx, sender, trace, rewrite, clock()))
        for connection in (reading, writing):
            connection.close()
    if as_json:
        click.echo(msgspec.json.encode(erased).decode())
    else:
        click.echo(f"{erased.orders} orders, {erased.versions} versions, {erased.identifiers} identifiers erased")
