"""`ordermill demo`: the real server, the documented examples of all three contracts over HTTP, what came of them."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import nullcontext
from typing import Any

import click

from ordermill import examples
from ordermill.cli.options import settings, store_options, told_plainly
from ordermill.config import load


@click.command()
@click.option("--once", is_flag=True, help="Push, show, and end: 0 when all went as it should (a smoke test).")
@click.option("--host", metavar="ADDRESS", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port to listen on; with --once a free one is the default.",
)
@store_options
def demo(once: bool, **options: Any) -> None:
    """Start the server and push the documented examples of the three contracts through it."""
    from ordermill.core.order import Mode
    from ordermill.running import serve

    origins = load(options=options).origins
    fresh = once and {origins["data"], origins["database_url"]} == {"default"}
    if once and options.get("port") is None:
        options["port"] = 0
    with told_plainly(), tempfile.TemporaryDirectory() if fresh else nullcontext() as folder:
        if folder is not None:
            options["data"] = folder
        config = settings(**options, log_level="warning")
        told: list[bool] = []

        async def session(house: Any, url: str) -> None:
            told.append(await Demo(house, url, stays=not once).run())
            if not once:
                token = await house.console.store.make_link(1, Mode.TEST)
                print(f"\nOpen   {house.console.link_to_sign_in(url, token)}   (one-time link)")
                print("\nCtrl-C stops; the data stays.", flush=True)
                await house.stopping.wait()

        code = serve(config, session)
    sys.exit(code or (0 if told and told[0] else 1))


class Demo:
    """One run of the examples. Everything goes over HTTP, as a client would send it."""

    def __init__(self, house: Any, url: str, *, stays: bool = True) -> None:
        self.house = house
        self.stays = stays
        self.url = url
        self.key = ""
        self.wrong: list[str] = []

    async def run(self) -> bool:
        """Pushes and shows. True when every answer was the one that the contracts promise."""
        self.key = await self._make_key()
        print("Pushing the documented examples through the real endpoints:", flush=True)
        await self._brevo()
        await self._karrio()
        await self._centra()
        await self._night()
        await self._account()
        for line in self.wrong:
            print(f"  WRONG  {line}")
        if not self.wrong and self.stays:
            self._next_steps()
        elif not self.wrong:
            print("\nAll as it should be. The server ends with this; ordermill demo keeps it running.", flush=True)
        return not self.wrong

    async def _make_key(self) -> str:
        from ordermill.app import clock
        from ordermill.core.account import ApiKey, Scope, make_key, take_apart
        from ordermill.core.order import Mode

        text = make_key(Mode.TEST)
        presented = take_apart(text)
        key = ApiKey(
            account_id=1,
            id=presented.id,
            name="demo",
            mode=Mode.TEST,
            scopes=(Scope.ADMIN,),
            secret_hash=presented.secret_hash,
            hint=text[-4:],
            rate_limit=None,
            created_at=clock(),
        )
        await self.house.ledger.save_key(key)
        return text

    async def call(self, method: str, path: str, header: str, body: bytes | None = None) -> tuple[int, Any]:
        """One HTTP call: (status, decoded body or None)."""
        name, _, value = header.partition(": ")
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers={name: value, "Content-Type": "application/json"}
        )

        def go() -> tuple[int, bytes]:
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                return error.code, error.read()

        status, answer = await asyncio.to_thread(go)
        return status, json.loads(answer) if answer else None

    def show(self, contract: str, call: str, status: int, expected: int, what: str) -> None:
        print(f"  {contract:<7} {call:<32} {status}   {what}", flush=True)
        if status != expected:
            self.wrong.append(f"{contract} {call}: {expected} was due, {status} came")

    async def _brevo(self) -> None:
        header = f"api-key: {self.key}"
        status, _ = await self.call("POST", "/v3/orders/status", header, examples.body("brevo_order"))
        self.show("Brevo", "POST /v3/orders/status", status, 204, "order 14")
        status, answer = await self.call("POST", "/v3/orders/status/batch", header, examples.body("brevo_batch"))
        self.show(
            "Brevo",
            "POST /v3/orders/status/batch",
            status,
            202,
            f"batchId {answer.get('batchId')}, {answer.get('count')} orders",
        )
        status, answer = await self.call("GET", "/v3/orders?limit=2", header)
        self.show("Brevo", "GET  /v3/orders", status, 200, f"{answer.get('count')} orders in the ledger")

    async def _karrio(self) -> None:
        header = f"Authorization: Token {self.key}"
        status, answer = await self.call("POST", "/v1/batches/orders", header, examples.body("karrio_batch"))
        resources = answer.get("resources", [])
        failed = [resource for resource in resources if resource["status"] == "failed"]
        self.show(
            "Karrio", "POST /v1/batches/orders", status, 200,
            f"{answer.get('status')}: {len(resources) - len(failed)} taken, {len(failed)} failed",
        )  # fmt: skip
        for resource in failed:
            for field, texts in resource["errors"].items():
                print(f"            └ {field}: {' '.join(texts)}")
        if len(failed) != 1 or answer.get("status") != "completed_with_errors":
            self.wrong.append("Karrio: one of the three orders should have failed, alone")
        status, answer = await self.call("GET", f"/v1/batches/operations/{answer.get('id')}", header)
        self.show("Karrio", "GET  /v1/batches/operations/…", status, 200, f"{answer.get('status')}")

    async def _centra(self) -> None:
        header = f"API-Authorization: {self.key}"
        status, answer = await self.call("POST", "/centra/orders", header, examples.body("centra_batch"))
        told = "   ".join(
            f"{name} ok {entry['orders']}" if entry["status"] == "ok" else f"{name} no"
            for name, entry in answer.items()
        )
        self.show("Centra", "POST /centra/orders", status, 200, told)
        for name, entry in answer.items():
            if entry["status"] == "no":
                print(f"            └ {name}: {entry['msg']}")
        if [entry["status"] for entry in answer.values()] != ["ok", "no"]:
            self.wrong.append("Centra: x123 should be ok and a1 not")

    async def _night(self) -> None:
        """A night's file, uploaded and imported as the console does it."""
        from ordermill.examples import night

        header, path = f"Authorization: Bearer {self.key}", "/api/v1/imports"
        status, found = await self.call("POST", f"{path}?name=night.csv", header, night.text().encode())
        if status == 201:
            status, found = await self.call("POST", f"{path}/{found['id']}/start", header)
        while status in (200, 202) and found["state"] in ("queued", "running"):
            await asyncio.sleep(0.1)
            status, found = await self.call("GET", f"{path}/{found['id']}", header)
        counts = found.get("counts") or {"received": 0, "failed": 0}
        causes = len((found.get("report") or {}).get("causes", ()))
        told = f"{found.get('state')}: {counts['received']} orders, {counts['failed']} failed ({causes} causes)"
        self.show("File", "POST /api/v1/imports  night.csv", status, 200, told)
        if (counts["received"], counts["failed"], causes) != (2_000, 18, 4):
            self.wrong.append("night.csv: 2,000 orders were due, 18 of them failing for 4 reasons")

    async def _account(self) -> None:
        """The accounting line: over all batches and singles of this key."""
        from ordermill.core.batch import Sender
        from ordermill.core.order import Mode
        from ordermill.core.query import BatchQuery

        sender = Sender(account_id=1, mode=Mode.TEST, key_id="demo")
        page = await self.house.mill.find_batches(sender, BatchQuery(limit=1000))
        sums = {word: 0 for word in ("received", "created", "updated", "unchanged", "failed", "waiting")}
        for batch in page.entries:
            for word in sums:
                sums[word] += getattr(batch.counts, word)
        parts = " + ".join(f"{sums[word]} {word}" for word in ("created", "updated", "unchanged", "failed", "waiting"))
        print(f"\nBatches: {sums['received']} orders received = {parts}", flush=True)
        if sums["received"] != sum(sums.values()) - sums["received"]:
            self.wrong.append("the accounting does not add up")

    def _next_steps(self) -> None:
        print(f"\nA test key for your own client:  {self.key}")
        print(f'Try  curl -H "api-key: {self.key}" {self.url}/v3/orders')
        print(f'     curl -H "Authorization: Bearer {self.key}" {self.url}/api/v1/batches')
