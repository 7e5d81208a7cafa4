"""The pages without a browser: what they show, their twins and filters, and that nothing inline or foreign is there."""

from __future__ import annotations

import csv
import gzip
import io
import re
from typing import Any

import pytest
from speaking import brevo
from visiting import KARRIO, Visitor, karrio_order, sender, wrong_order

from ordermill import examples
from ordermill.app import House
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.core.query import BatchQuery
from ordermill.core.watching import Process
from ordermill.store import duties
from ordermill.web.http import Reply, Request
from ordermill.work.presence import own_name

pytestmark = pytest.mark.anyio
PAGES = ("/", "/batches", "/orders", "/webhooks", "/requests", "/keys", "/playground", "/reference", "/system")
NAMES = ("brevo", "karrio", "centra", "ordermill")


@pytest.fixture
async def full(visitor: Visitor) -> Visitor:
    """A house in which something happened."""
    await visitor.send("/v3/orders/status/batch", examples.body("brevo_batch"))
    await visitor.send(KARRIO, examples.body("karrio_batch"))
    await visitor.send("/centra/orders", examples.body("centra_batch"))
    return visitor


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_is_there_before_and_after_the_first_order(visitor: Visitor, path: str) -> None:
    assert (await visitor.get(path)).status == 200
    await visitor.send(KARRIO, {"orders": [karrio_order(1), wrong_order(2)]})
    assert (await visitor.get(path)).status == 200


async def test_no_page_holds_anything_inline_or_of_another_host(full: Visitor) -> None:
    found = await full.http.get("/orders.json")
    order = found.json()["data"][0]["id"]
    request = (await full.http.get("/requests.json")).json()["data"][0]["id"]
    tabs = [f"/orders/{order}?tab={tab}" for tab in ("content", "sent", "brevo", "karrio", "centra", "events")]
    references = [f"/reference/{name}" for name in NAMES]
    for path in (*PAGES, *tabs, *references, "/batches/bch_2", f"/requests/{request}", "/nowhere", "/login"):
        page = await full.get(path)
        assert page.status in (200, 303, 404), path
        assert page.all("[style], style, script:not([src]), [onclick], [onload], [onerror], iframe, base") == [], path
        for node in page.all("[src], link[href], form[action], [hx-get]"):
            for name in ("src", "href", "action", "hx-get"):
                target = node.attributes.get(name)
                assert target is None or re.match(r"/(?!/)", target), (path, target)
        assert "default-src 'none'" in page.answer.headers["content-security-policy"]
        assert page.answer.headers["cache-control"] == "no-store"
        ids = [node.attributes["id"] for node in page.all("[id]")]
        assert len(ids) == len(set(ids)), path


async def test_the_first_page_with_all_it_loads_stays_below_100_kilobytes(full: Visitor) -> None:
    page = await full.get("/")
    total = len(gzip.compress(page.answer.content))
    for node in page.all("script[src], link[href]"):
        answer = await full.http.get(node.attributes.get("src") or node.attributes["href"] or "")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        total += int(answer.headers["content-length"])
    assert len(page.all("script[src]")) == 2
    assert len(page.all("link[rel=stylesheet]")) == 1
    assert total < 100_000


async def test_the_overview_says_what_needs_attention(full: Visitor) -> None:
    page = await full.get("/")
    assert "2 orders of the last day need attention" in page.text
    figures = {node.css_first("dt").text(): node.css_first("dd").text() for node in page.all(".figures > div")}
    assert figures["Received"] == "7"
    assert figures["Failed"] == "2"
    assert len(page.all(".chart .touch")) == 24
    hour = await full.get("/?range=1h")
    assert "Orders per 5 minutes" in hour.text
    assert {node.css_first("dt").text(): node.css_first("dd").text() for node in hour.all(".figures > div")} == figures
    assert len(hour.all(".chart .touch")) in (12, 13)
    minutes = (await full.http.get("/overview.json?range=1h")).json()["data"]
    assert sum(entry["received"] for entry in minutes) == 7
    assert len((await full.get("/?range=7d")).all(".chart .touch")) in (28, 29)
    assert len((await full.get("/?range=30d")).all(".chart .touch")) in (30, 31)


async def test_an_empty_house_teaches_and_the_examples_are_one_click(stranger: Visitor) -> None:
    await stranger.by_link(Mode.LIVE)
    page = await stranger.get("/")
    assert "No orders yet" in page.text
    assert page.text.count("curl -X POST http://mill.test/") == 3
    after = await stranger.post("/examples", page)
    assert "Pushed three examples" in after.text
    assert after.html.css_first("html.test") is not None
    assert "bch_1" in after.text


async def test_lists_have_twins_with_the_same_filters(full: Visitor) -> None:
    told = (await full.http.get("/batches.json?contract=karrio")).json()
    assert [entry["contract"] for entry in told["data"]] == ["karrio"]
    assert told["data"][0]["failed"] == 1
    answer = await full.http.get("/batches.csv?failures=1")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["contract"] for row in rows] == ["centra", "karrio"]
    for path in ("/orders", "/requests", "/webhooks", "/keys", "/overview", "/batches/bch_2/items"):
        assert (await full.http.get(path + ".json")).status_code == 200
        assert (await full.http.get(path + ".csv")).status_code == 200


async def test_the_system_page_tells_who_works_on_the_ledger_and_who_fell_silent(
    visitor: Visitor, house: House
) -> None:
    await house.presence.tell()
    gone = Process("elsewhere:17", "worker", "0.1", 0, house.presence.clock() - 91_000_000)
    await house.ledger.lanes.write(lambda tx: duties.save_process(tx, gone))
    page = await visitor.get("/system")
    rows = [row.text() for row in page.all("section[aria-labelledby=processes-title] tbody tr")]
    assert len(rows) == 2
    assert "elsewhere:17" in rows[0]
    assert "silent" in rows[0]
    assert own_name() in rows[1]
    assert "there" in rows[1]
    await house.presence.leave()
    assert own_name() not in (await visitor.get("/system")).one("section[aria-labelledby=processes-title]").text()


async def test_a_person_is_erased_from_the_order_page(visitor: Visitor, house: House) -> None:
    for number in (1, 2):
        sent = karrio_order(number, shipping_to={**karrio_order(1)["shipping_to"], "email": "Ada1@example.com"})
        await visitor.send("/v1/orders", sent)
    path = "/orders/" + (await visitor.http.get("/orders.json")).json()["data"][0]["id"]
    page = await visitor.get(path)
    wrong = await visitor.post(path + "/erase", page, confirm="somebody@example.com")
    assert "Nothing was erased" in wrong.text
    assert "Somewhere Road" in (await visitor.get(path)).text
    done = await visitor.post(path + "/erase", page, confirm="ada1@EXAMPLE.com ")
    assert "Erased: 2 orders" in done.text
    assert "Somewhere Road" not in done.text
    assert "Erase the person" not in done.text
    audit = (await visitor.get("/system")).text
    assert "erased a person" in audit
    assert "ada1@" not in audit.casefold()


async def test_only_an_admin_erases(stranger: Visitor) -> None:
    await stranger.by_key(Scope.ORDERS_READ, Scope.ORDERS_WRITE)
    await stranger.send("/v1/orders", karrio_order(1))
    path = "/orders/" + (await stranger.http.get("/orders.json")).json()["data"][0]["id"]
    page = await stranger.get(path)
    assert page.one("button.danger").attributes.get("disabled", "") is None
    refused = await stranger.post(path + "/erase", page, confirm="ada1@example.com")
    assert refused.status == 403
    assert "Somewhere Road" in (await stranger.get(path)).text


async def test_a_filter_that_cannot_be_meant_is_told(full: Visitor) -> None:
    for query in ("/batches?status=nope", "/orders?since=yesterday", "/orders?from=much"):
        page = await full.get(query)
        assert page.status == 422
        assert "filter" in page.text


async def test_pages_of_batches_follow_one_another_and_new_ones_wait(visitor: Visitor) -> None:
    for number in range(60):
        await visitor.send(KARRIO, {"orders": [karrio_order(number)]})
    first = await visitor.get("/batches")
    shown = [node.text() for node in first.all("tbody a.id")]
    assert shown == [f"bch_{number}" for number in range(60, 10, -1)]
    second = await visitor.get(first.link("Older"))
    assert [node.text() for node in second.all("tbody a.id")] == [f"bch_{number}" for number in range(10, 0, -1)]
    await visitor.send(KARRIO, {"orders": [karrio_order(99)]})
    live = await visitor.get(first.one("#live").attributes["hx-get"] or "", **{"hx-request": "true"})
    assert [node.text() for node in live.all("tbody a.id")] == shown
    assert "1 new batches – show" in live.text
    assert live.all("nav[aria-label=Main]") == []


async def test_a_batch_says_why_orders_failed_and_one_cause_is_retried(visitor: Visitor, house: House) -> None:
    bad = wrong_order(3)
    bad["line_items"] = []
    await visitor.send(KARRIO, {"orders": [karrio_order(1), wrong_order(2), wrong_order(4), bad]})
    page = await visitor.get("/batches/bch_1")
    assert "4 orders = 1 created + 0 updated + 0 unchanged + 3 failed + 0 waiting" in page.text
    causes = page.all("table.causes tbody tr")
    assert len(causes) == 2
    assert "kgs" in causes[0].text()
    assert [
        node.text()
        for node in (await visitor.get(causes[0].css_first("a").attributes["href"] or "")).all("#orders tbody .mono")
    ][:1]
    form = {field.attributes["name"]: field.attributes["value"] for field in causes[0].css("form input")}
    after = await visitor.post("/batches/bch_1/retry", **form)
    assert "2 orders retried: 0 completed, 2 failed again." in after.text
    assert "Follows bch_1" in after.text
    again = await visitor.get("/batches/bch_1")
    assert "Sent again from here" in again.text


async def test_failed_rows_are_downloaded_mended_and_sent_again(visitor: Visitor, house: House) -> None:
    await visitor.send(KARRIO, {"orders": [karrio_order(1), wrong_order(2), wrong_order(3)]})
    page = await visitor.get("/batches/bch_1")
    answer = await visitor.http.get(page.link("Download failed rows (CSV)"))
    assert answer.headers["content-disposition"].startswith("attachment")
    text = answer.content.decode("utf-8-sig")
    assert text.count("kgs") >= 2
    fixed = text.replace('""weight_unit"":""kgs""', '""weight_unit"":""KG""')
    after = await visitor.post("/batches/bch_1/fix", page, file=("failed.csv", fixed.encode(), "text/csv"))
    assert "2 orders sent again: 2 completed, 0 failed again." in after.text
    assert "needs attention" not in (await visitor.get("/")).text
    batches = await house.mill.find_batches(sender(), BatchQuery())
    assert [(batch.id, batch.parent_batch_id, batch.counts.created) for batch in batches.entries] == [
        (2, 1, 2),
        (1, None, 1),
    ]


async def test_a_file_that_was_not_downloaded_here_is_refused_with_a_way_on(visitor: Visitor) -> None:
    await visitor.send(KARRIO, {"orders": [wrong_order(2)]})
    page = await visitor.get("/batches/bch_1")
    for content in (b"a,b\n1,2\n", b"", b"\xff\xfe\x00", b'ordermill_row,a\n1,"open\n'):
        after = await visitor.post("/batches/bch_1/fix", page, file=("x.csv", content, "text/csv"))
        assert after.status == 422
    after = await visitor.post("/batches/bch_1/fix", page, file=("x.csv", b"ordermill_row,a\n77,2\n", "text/csv"))
    assert after.status == 409
    assert "No row of this file" in after.text


async def test_orders_are_found_by_reference_email_and_ids(full: Visitor) -> None:
    entry = next(
        entry for entry in (await full.http.get("/orders.json")).json()["data"] if entry["reference"] == "SO-1001"
    )
    assert [node.text() for node in (await full.get("/orders?q=SO-1001")).all("tbody a.id")] == ["SO-1001"]
    assert [node.text() for node in (await full.get("/orders?q=JANE@example.com")).all("tbody a.id")] == ["SO-1001"]
    assert (await full.http.get(f"/orders?q={entry['id']}")).headers["location"] == f"/orders/{entry['id']}"
    assert (await full.http.get("/orders?q=bch_2")).headers["location"] == "/batches/bch_2"
    assert "Nothing is known under" in (await full.get("/orders?q=nobody")).text


async def test_orders_are_filtered_in_the_server(full: Visitor) -> None:
    async def references(query: str) -> list[str]:
        return [entry["reference"] for entry in (await full.http.get(f"/orders.json?{query}")).json()["data"]]

    everything = await references("")
    assert set(await references("contract=karrio")) == {"SO-1001", "SO-1002"}
    assert await references("from=300&currency=") != everything
    assert await references("source=ERP&contract=karrio&status=unfulfilled") == ["SO-1002", "SO-1001"]
    assert await references("since=2030-01-01") == []


async def test_an_order_shows_its_history_and_its_face_in_every_contract(visitor: Visitor) -> None:
    order = {
        "id": "o1", "createdAt": "2026-01-01T10:00:00Z", "updatedAt": "2026-01-01T10:00:00Z", "status": "pending",
        "amount": 10, "products": [{"productId": "P1", "quantity": 1, "price": 10}], "email": "ada@example.com",
    }  # fmt: skip
    for changes in ({}, {"status": "paid", "updatedAt": "2026-01-02T10:00:00Z"}, {"updatedAt": "2025-12-31T10:00:00Z"}):
        assert (await visitor.send("/v3/orders/status", {**order, **changes})).status_code == 204
    number = (await visitor.http.get("/orders.json")).json()["data"][0]["id"]
    page = await visitor.get(f"/orders/{number}")
    assert [" ".join(node.css_first("strong").text().split()) for node in page.all(".timeline li")] == [
        "An older version came late", "Changed to version 2", "Received",
    ]  # fmt: skip
    diff = page.all(".timeline li")[1].css_first(".diff").text()
    assert "pending" in diff
    assert "paid" in diff
    assert '"status": "paid"' in (await visitor.get(f"/orders/{number}?tab=sent")).one("#sent").text()
    assert '"status": "pending"' in (await visitor.get(f"/orders/{number}?tab=sent&version=1")).one("#sent").text()
    assert '"order_id": "o1"' in (await visitor.get(f"/orders/{number}?tab=karrio")).one("#face").text()
    assert (await visitor.get("/orders/ord_" + "0" * 32)).status == 404


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil\u202c",
    "{{7*7}}",
    "a" * 300,
    "javascript:alert(1)",
)


async def test_hostile_strings_stay_text(visitor: Visitor) -> None:
    orders: list[dict[str, Any]] = []
    for place, text in enumerate(HOSTILE):
        order = karrio_order(place, order_id=text[:40] + str(place), source=text[:40])
        order["shipping_to"] |= {"city": text[:29], "person_name": text[:40]}
        order["line_items"][0] |= {"title": text[:30], "weight_unit": text if place % 2 else "KG"}
        orders.append(order)
    await visitor.send(KARRIO, {"orders": orders}, **{"user-agent": HOSTILE[0]})
    numbers = [entry["id"] for entry in (await visitor.http.get("/orders.json")).json()["data"]]
    request = (await visitor.http.get("/requests.json")).json()["data"][0]["id"]
    asked = ("/orders?q=%3Cscript%3Ealert(1)%3C/script%3E", "/batches?key=%22%3E%3Cimg%20src%3Dx%3E", "/%3Cscript%3E")
    seen = ("/", "/batches", "/batches/bch_1", "/batches/bch_1?show=all", "/orders", f"/requests/{request}")
    paths = [*seen, f"/playground?request={request}", *(f"/orders/{number}" for number in numbers), *asked]
    for path in paths:
        page = await visitor.get(path)
        assert page.all("script:not([src]), img, [onerror]") == [], path
        assert "49" not in page.one("head > title").text()
        for node in page.all("a[href]"):
            assert (node.attributes["href"] or "").startswith(("/", "#")), path


async def test_requests_are_logged_with_private_fields_masked(full: Visitor, house: House) -> None:
    page = await full.get("/requests")
    assert page.text.count("POST /v1/batches/orders") == 1
    number = next(e["id"] for e in (await full.http.get("/requests.json")).json()["data"] if e["contract"] == "karrio")
    shown = await full.get(f"/requests/{number}")
    assert "jane@example.com" not in shown.text
    assert "j•••" in shown.text
    assert "Kettle" in shown.text
    revealed = await full.post(f"/requests/{number}/reveal", shown)
    assert "jane@example.com" in revealed.text
    assert (await house.console.store.find_deeds(1))[0].action == "revealed a request"
    assert [e["contract"] for e in (await full.http.get("/requests.json?contract=centra")).json()["data"]] == ["centra"]


async def test_the_log_of_requests_is_bounded_and_counts_what_it_leaves_out(visitor: Visitor, house: House) -> None:
    await visitor.by_link(Mode.LIVE)
    for _ in range(60):
        await visitor.http.get("/v3/orders", headers={"api-key": "nobody"})
    await visitor.send("/v3/orders/status", b"{}" * 20_000, Mode.LIVE)
    log = house.console.requests
    kept = log.find(lambda _: True, limit=10_000)
    assert log.kept == len(kept) <= 1_000
    assert max(len(entry.body) for entry in kept) == 8 * 1024
    for number in range(300):
        reply = Reply(200, b"{}")
        log.take("brevo", Request("GET", "/v3/orders", b"", {}, b"", f"r{number}", 1), reply, 0.001, {})
    assert log.lost >= 200


async def test_a_key_is_made_used_rotated_and_revoked(visitor: Visitor, house: House) -> None:
    page = await visitor.get("/keys")
    csrf = page.form("/keys")["csrf"]
    made = await visitor.post("/keys", page, name="shop-sync", mode="test", days="30")
    secret = made.one("#secret").text()
    assert secret.startswith("omk_test_")
    assert secret not in (await visitor.get("/keys")).answer.text
    for entry in (await visitor.http.get("/requests.json")).json()["data"]:
        assert secret[13:] not in (await visitor.post(f"/requests/{entry['id']}/reveal", csrf=csrf)).answer.text
    answer = await visitor.http.get("/v3/orders", headers={"api-key": secret})
    assert answer.status_code == 200
    number = secret.split("_")[2]
    rotated = await visitor.post(f"/keys/{number}/rotate", await visitor.get("/keys"), hours="1")
    assert rotated.one("#secret").text() != secret
    gone = await visitor.post(f"/keys/{number}/revoke", await visitor.get("/keys"))
    assert "Revoked" in gone.text
    assert (await visitor.http.get("/v3/orders", headers={"api-key": secret})).status_code == 401


async def test_the_playground_sends_in_test_mode_and_judges_without_sending(stranger: Visitor, house: House) -> None:
    await stranger.by_link(Mode.LIVE)
    page = await stranger.get("/playground?sample=karrio-batch")
    body = page.one("textarea").text()
    assert "line_items[0].weight_unit" in page.text
    checked = await stranger.post("/playground", page, call=KARRIO, body=body, do="check")
    assert "Checked, nothing was sent" in checked.text
    sent = await stranger.post("/playground", page, call=KARRIO, body=body, do="send")
    assert sent.one("#answer-title .status").text().strip() == "200"
    assert len((await house.mill.find_batches(sender(Mode.TEST), BatchQuery())).entries) == 1
    assert len((await house.mill.find_batches(sender(Mode.LIVE), BatchQuery())).entries) == 0
    for sample in ("brevo-order", "brevo-wrong", "karrio-order", "centra-batch"):
        assert (await stranger.get(f"/playground?sample={sample}")).status == 200
    broken = await stranger.post("/playground", page, call=KARRIO, body="{", do="check")
    assert broken.status == 200


async def test_the_system_page_backs_up_and_tells_settings_without_secrets(visitor: Visitor, house: House) -> None:
    page = await visitor.get("/system")
    assert "raw_retention_days" in page.text
    done = await visitor.post("/system/backup", page)
    assert "written and checked" in done.text
    name = done.all(".mono")[0].text()
    assert name
    told = (await visitor.http.get("/system/diagnostics.json")).json()
    assert told["versions"]["Ordermill"] == house.console.version
    assert "bootstrap_key" in told["settings"]


async def test_times_and_modes_are_the_visitors_choice(visitor: Visitor) -> None:
    await visitor.send(KARRIO, {"orders": [karrio_order(1)]})
    page = await visitor.post("/session", await visitor.get("/"), zone="browser", theme="dark", back="/batches")
    html = page.one("html")
    assert (html.attributes["data-zone"], html.attributes["data-theme"]) == ("browser", "dark")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", page.one("tbody time").attributes["datetime"] or "")
    live = await visitor.post("/session", page, mode="live")
    assert "No orders yet" in live.text


async def test_a_file_goes_through_the_wizard_and_its_failed_rows_come_back(visitor: Visitor, house: House) -> None:
    sample = (await visitor.http.get("/import/sample.csv")).content
    file = sample + sample.splitlines()[-1].replace(b"SO-2002", b"SO-2003").replace(b"KG", b"kgs") + b"\n"
    mapping = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", file, "text/csv"))
    assert "What the columns mean" in mapping.text
    assert len(mapping.all("table.map th")) == 15
    checking = await visitor.post("/import/imp_1/plan", mapping, do="check", source="ERP")
    assert "Checking every row" in checking.text
    assert await house.importer.run_once()
    checked = await visitor.get("/import/imp_1")
    assert "Checked; nothing was written" in checked.text
    assert "kgs" in checked.text
    assert (await house.mill.find_batches(sender(), BatchQuery())).entries == ()
    await visitor.post("/import/imp_1/start", checked)
    assert await house.importer.run_once()
    batch = await visitor.get((await visitor.get("/import/imp_1")).link("Open bch_1"))
    assert "3 orders = 2 created + 0 updated + 0 unchanged + 1 failed + 0 waiting" in batch.text
    failed = await visitor.http.get(batch.link("Download failed rows (CSV)"), follow_redirects=True)
    text = failed.content.decode("utf-8-sig")
    assert text.startswith('"order_no",')  # each cell quoted: a spreadsheet keeps leading zeros as they are
    again = await visitor.post("/batches/bch_1/retry", batch)
    assert "1 order retried: 0 completed, 1 failed again." in again.text
    fixed = text.replace("kgs", "KG").encode()
    await visitor.post("/batches/bch_1/fix", batch, file=("fixed.csv", fixed, "text/csv"))
    assert await house.importer.run_once()
    assert "completed" in (await visitor.get("/batches/bch_3")).one("h1").text()
    assert "Follows bch_1" in (await visitor.get("/batches/bch_3")).text


async def test_the_secret_of_notify_urls_is_shown_and_changed(visitor: Visitor, house: House) -> None:
    batch = {"orders": [brevo("told")], "notifyUrl": "http://127.0.0.1:9999/done"}
    answer = await visitor.send("/v3/orders/status/batch", batch)
    assert answer.status_code == 202, answer.text
    (found,) = await house.ledger.outbox.find_endpoints(sender())
    page = await visitor.get(f"/webhooks/{found.id}")
    before = page.one("#secret").text()
    assert before == (await house.ledger.outbox.find_account(1)).notify_secret
    rotated = await visitor.post(f"/webhooks/{found.id}/rotate", page)
    assert rotated.one("#secret").text() == (await house.ledger.outbox.find_account(1)).notify_secret != before
    assert "The old one signs beside it until" in rotated.text
