"""The console in a real browser, as people use it: against a server of its own, with nobody else on the network."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from server_process import ServerProcess
from visiting import karrio_order, wrong_order

from ordermill import examples
from ordermill.console.formats import server_zone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe-4.14.1.min.js"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NIGHT = (
    "order_no", "date", "email", "name", "street", "postcode", "city", "country", "sku", "product", "quantity", "price",
    "currency", "weight", "weight_unit",
)  # fmt: skip
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.exe\u202c", "x" * 10_000)


class Listener(BaseHTTPRequestHandler):
    """Somebody who is told of events; answers as it is told to."""

    status = 200
    heard: list[dict[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append(json.loads(body))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def listener() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("console")
    settings = {"webhook_allow": "127.0.0.0/8", "log_level": "warning", "webhook_retries": "0s,600s"}
    with ServerProcess(folder, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def chromium(unavailable: Any) -> Iterator[Any]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        unavailable("Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Seat:
    """One person at one browser: what it asks for, and what it complains of."""

    def __init__(self, chromium: Any, server: ServerProcess, **options: Any) -> None:
        self.server = server
        self.context = chromium.new_context(locale="en-GB", timezone_id="Europe/Zurich", **options)
        self.page = self.context.new_page()
        self.asked: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> Any:
        self.page.goto(self.server.url + path)
        return self.page

    def sign_in(self, key: str | None = None) -> Seat:
        self.go("/login")
        self.page.fill("#key", key or self.server.key)
        self.page.click("text=Sign in")
        self.page.wait_for_url(self.server.url + "/")
        return self

    def leave(self) -> None:
        """What must hold of every visit."""
        self.context.close()
        assert self.asked <= {self.server.url.split("/")[2]}
        assert self.complaints == []


@pytest.fixture
def seat(chromium: Any, server: ServerProcess) -> Iterator[Seat]:
    seat = Seat(chromium, server)
    yield seat
    seat.leave()


def send(server: ServerProcess, path: str, body: Any, method: str = "POST") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {name: f"{word}{server.key}" for name, word in
               (("api-key", ""), ("authorization", "Token " if path.startswith("/v1") else "Bearer "),
                ("api-authorization", ""))}  # fmt: skip
    request = urllib.request.Request(
        server.url + path, data, {**headers, "content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def test_signing_in_by_the_link_of_the_command_line(chromium: Any, server: ServerProcess) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "ordermill", "login-link"]  # it knows where the server answers
    link = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True).stdout.strip()
    seat = Seat(chromium, server)
    seat.page.goto(link)
    seat.page.wait_for_url(server.url + "/")
    assert seat.page.inner_text("h1") == "Overview"
    seat.page.goto(link)
    assert "used already" in seat.page.inner_text("main")
    seat.complaints.clear()
    seat.leave()


def test_a_bar_fills_without_a_reload(seat: Seat) -> None:
    seat.sign_in()
    page = seat.go("/batches")
    send(seat.server, "/v1/batches/orders", {"orders": [karrio_order(1), wrong_order(2)]})
    page.wait_for_selector("text=new batches – show", timeout=20_000)
    page.click("text=new batches – show")
    row = page.locator("tbody tr").first
    assert row.locator(".progress .done").get_attribute("width") == "50.0%"
    assert "with errors" in row.inner_text()


def test_a_running_import_is_followed_live(seat: Seat, tmp_path: Path) -> None:
    seat.sign_in()
    file = write_night(tmp_path, 6_000)
    page = seat.go("/import")
    page.set_input_files("#file", str(file))
    page.click("form.drop button")
    page.wait_for_selector("text=What the columns mean")
    page.click("text=Check the file")
    page.wait_for_selector("text=Checked; nothing was written", timeout=60_000)
    assert "5\u202f" in page.inner_text("main") or "5,9" in page.inner_text("main")
    marker = page.evaluate("() => (document.getElementById('live').dataset.sameNode = 'yes')")
    page.click("text=fine ones")
    page.wait_for_selector("h2:has-text('Imported')", timeout=90_000)
    assert marker == "yes"
    page.click("text=Open bch_")
    page.wait_for_selector("text=Why orders failed")
    with page.expect_download() as download:
        page.click("text=Download failed rows (CSV)")
    text = Path(download.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["ordermill_code"] for row in rows} == {"invalid_choice"}
    assert next(iter(rows[0])) == "order_no"
    fixed = tmp_path / "fixed.csv"
    fixed.write_text(text.replace("kgs", "KG"), "utf-8")
    page.click("summary:has-text('Upload fixed file')")
    page.set_input_files("#fixed", str(fixed))
    page.click("text=Send again")
    page.wait_for_selector("h2:has-text('Imported')", timeout=60_000)
    page.click("text=Open bch_")
    page.wait_for_selector("text=Follows bch_")
    assert page.locator("h1 .status").inner_text() == "completed"


def test_a_sheet_is_shut_by_escape_and_by_a_click_elsewhere_and_amounts_keep_their_cents(seat: Seat) -> None:
    order = karrio_order(21)
    order["line_items"][0] |= {"quantity": 1, "value_amount": 49.9}
    send(seat.server, "/v1/batches/orders", {"orders": [order, wrong_order(22)]})
    seat.sign_in()
    page = seat.go("/batches")
    page.locator("tbody a.id").first.click()
    page.click("summary:has-text('Upload fixed file')")
    page.focus("#fixed")
    page.keyboard.press("Escape")
    assert not page.is_visible("#fixed")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.is_visible("#fixed")
    page.click("h1")
    assert not page.is_visible("#fixed")
    page.goto(page.url + "?show=all")
    assert "CHF\u00a049.90" in page.inner_text("#orders")


def test_a_sheet_in_a_table_is_seen_whole(seat: Seat) -> None:
    seat.sign_in()
    page = seat.go("/keys")
    page.locator("summary:has-text('Rotate')").first.click()
    cut = "node => node.getBoundingClientRect().right > node.closest('.scroll').getBoundingClientRect().right + 1"
    assert not page.locator(".sheet:visible").first.evaluate(cut)
    assert page.locator(".scroll:has(.sheet)").first.evaluate("node => node.scrollHeight <= node.clientHeight + 1")


@pytest.mark.parametrize("width", [1024, 390])
def test_a_very_long_name_makes_no_page_wider(chromium: Any, server: ServerProcess, width: int) -> None:
    send(server, "/api/v1/keys", {"name": "x" * 100, "mode": "live", "scopes": ["orders:read"]})
    seat = Seat(chromium, server, viewport={"width": width, "height": 800}).sign_in()
    for path in ("/batches", "/requests", "/keys", "/system"):
        page = seat.go(path)
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, path
    seat.leave()


def test_a_page_is_printed_dark_on_white_with_its_mode(chromium: Any, server: ServerProcess) -> None:
    seat = Seat(chromium, server, color_scheme="dark").sign_in(make_test_key(server))
    page = seat.go("/batches")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 248, 241)"
    assert "Test mode" in page.evaluate("getComputedStyle(document.body, '::before').content")
    seat.leave()


def test_enter_in_the_name_of_a_preset_saves_it(seat: Seat, tmp_path: Path) -> None:
    seat.sign_in()
    page = seat.go("/import")
    page.set_input_files("#file", str(write_night(tmp_path, 3)))
    page.click("form.drop button")
    page.fill("#save-as", "By Enter")
    page.press("#save-as", "Enter")
    page.wait_for_selector("text=Saved as “By Enter”.")
    assert page.locator("text=What the columns mean").count() == 1
    page.fill("#source", "ERP")
    page.press("#source", "Enter")  # everywhere else it goes on to the check
    page.wait_for_selector("text=/Check(ing every row|ed; nothing was written)/")
    page = seat.go("/import")
    page.locator("tr:has-text('By Enter') button:has-text('Delete')").click()
    page.wait_for_selector("text=Deleted “By Enter”")


@pytest.mark.parametrize("zone", ["server", "browser"])
def test_the_page_tells_the_time_of_its_update_in_the_zone_of_its_other_times(seat: Seat, zone: str) -> None:
    seat.sign_in()
    page = seat.page
    page.click(".prefs summary")
    page.select_option("#zone", zone)
    page.click(".prefs button:has-text('Save')")
    page.wait_for_load_state()
    page.evaluate("document.getElementById('live').dataset.every = '1'")
    page.wait_for_function("() => /updated ..:..:../.test(document.querySelector('[data-pulse]').textContent)")
    shown = page.inner_text("[data-pulse]").split()[1]
    name = "Europe/Zurich" if zone == "browser" else server_zone()
    now = datetime.now(ZoneInfo(name))
    then = now.replace(hour=int(shown[:2]), minute=int(shown[3:5]), second=int(shown[6:]))
    assert abs((now - then).total_seconds()) % 86_400 < 60


@pytest.mark.parametrize("scripts", [True, False])
def test_a_mapping_is_saved_and_used_for_the_next_file(
    chromium: Any, server: ServerProcess, tmp_path: Path, scripts: bool
) -> None:
    seat = Seat(chromium, server, java_script_enabled=scripts).sign_in()
    name = f"Night, scripts {scripts}"
    columns = (*NIGHT[:-1], f"colour {scripts}")

    def upload(file: Path) -> Any:
        page = seat.go("/import")
        page.set_input_files("#file", str(file))
        page.click("form.drop button")
        page.wait_for_selector("text=What the columns mean")
        return page

    page = upload(write_night(tmp_path, 3, columns))
    page.select_option("#column-14", "metadata")
    page.select_option("#column-2", "")
    page.fill("#source", "ERP")
    page.fill("#save-as", name)
    page.click("text=Save as preset")
    page.wait_for_selector(f"text=Saved as “{name}”.")
    page = upload(write_night(tmp_path, 5, columns))
    assert f"mapped as “{name}”, saved " in page.inner_text("main")
    chosen = [page.input_value(f"#{field}") for field in ("preset", "source", "column-2", "column-14")]
    assert chosen == [name, "ERP", "", "metadata"]
    page.select_option("#preset", "")
    page.click("text=Apply and look again")
    assert [page.input_value(f"#{field}") for field in ("preset", "source")] == ["", ""]
    page.select_option("#preset", name)
    page.click("text=Check the file")
    page.wait_for_selector("text=/Check(ing every row|ed; nothing was written)/")
    page = seat.go("/import")
    page.locator(f"tr:has-text('{name}') button:has-text('Delete')").click()
    page.wait_for_selector(f"text=Deleted “{name}”")
    seat.leave()


def write_night(folder: Path, orders: int, columns: tuple[str, ...] = NIGHT) -> Path:
    path = folder / "night.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number in range(orders):
            unit = "kgs" if number % 500 == 7 else "KG"
            who = [f"N-{number}", "2026-11-20", f"n{number}@example.com", "Ada", "Road 1", "4052", "Basel", "CH"]
            writer.writerow([*who, "B-1", "Bowl", 1, "9.50", "CHF", "0.4", unit])
    return path


def test_failed_orders_are_downloaded_mended_and_completed(seat: Seat, tmp_path: Path) -> None:
    answer = send(seat.server, "/v1/batches/orders", {"orders": [karrio_order(11), wrong_order(12), wrong_order(13)]})
    assert answer["status"] == "completed_with_errors"
    seat.sign_in()
    page = seat.go("/batches")
    page.locator("tbody a.id").first.click()
    page.click(".verbs a:has-text('Show')")
    page.wait_for_url(re.compile("code="))
    with page.expect_download() as download:
        page.click("text=Download failed rows (CSV)")
    text = Path(download.value.path()).read_text("utf-8-sig")
    fixed = tmp_path / "fixed.csv"
    fixed.write_text(text.replace('""weight_unit"":""kgs""', '""weight_unit"":""KG""'), "utf-8-sig")
    page.click("summary:has-text('Upload fixed file')")
    page.set_input_files("#fixed", str(fixed))
    page.click("text=Send again")
    page.wait_for_selector("text=2 orders sent again: 2 completed, 0 failed again.")
    assert page.locator("h1 .status").inner_text() == "completed"


def test_an_endpoint_is_added_tested_and_a_delivery_resent(seat: Seat, listener: str) -> None:
    seat.sign_in()
    page = seat.go("/webhooks")
    page.fill("#url", listener)
    page.fill("#description", "ERP")
    page.click("form.form button:has-text('Add')")
    page.click("text=Send a test")
    page.wait_for_selector("h1 .status:has-text('delivered')")
    assert Listener.heard[-1]["type"] == "ping"
    Listener.status = 500
    order = {**json.loads(examples.body("brevo_order")), "id": "hook-1"}
    send(seat.server, "/v3/orders/status", order)
    page.goto(seat.server.url + "/webhooks?type=order.created")
    page.wait_for_selector("tbody .red:has-text('server error')", timeout=20_000)
    Listener.status = 200
    page.locator("a.id").first.click()
    page.click("text=Resend")
    page.wait_for_selector("h1 .status:has-text('delivered')", timeout=20_000)
    assert Listener.heard[-1]["type"] == "order.created"


def test_an_address_inside_the_house_is_refused_with_the_way_on(chromium: Any, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, log_level="warning") as server:
        seat = Seat(chromium, server).sign_in()
        page = seat.go("/webhooks")
        page.fill("#url", "http://127.0.0.1:8099/")
        page.click("form.form button:has-text('Add')")
        assert "ORDERMILL_WEBHOOK_ALLOW" in page.inner_text("main")
        seat.leave()


def test_a_key_is_made_used_and_revoked(seat: Seat) -> None:
    seat.sign_in()
    page = seat.go("/keys")
    page.fill("#name", "till")
    page.click("text=Make the key")
    secret = page.inner_text("#secret")

    def ask() -> int:
        request = urllib.request.Request(seat.server.url + "/v3/orders", headers={"api-key": secret})
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert ask() == 200
    page.click("text=I have kept it")
    page.locator("tr:has-text('till') button:has-text('Revoke')").click()
    page.wait_for_selector("text=Revoked: it works")
    assert ask() == 401


def test_the_playground_answers_as_a_client_would_be(seat: Seat) -> None:
    secret = make_test_key(seat.server)
    seat.sign_in(secret)
    page = seat.go("/playground")
    page.select_option("#sample", "brevo-batch")
    page.wait_for_url(re.compile("sample=brevo-batch"))
    page.click("text=Validate only")
    page.wait_for_selector("text=Checked, nothing was sent")
    page.click("button:has-text('Send')")
    page.wait_for_selector("#answer-title .status:has-text('202')")
    page.click("main a.id")
    page.wait_for_selector("h1 .status:has-text('completed')")


def make_test_key(server: ServerProcess, *scopes: str) -> str:
    wanted = list(scopes) or ["orders:read", "orders:write", "webhooks"]
    made = send(server, "/api/v1/keys", {"name": "test", "mode": "test", "scopes": wanted})
    return str(made["key"])


def test_who_only_reads_finds_every_action_shut_and_explained(seat: Seat) -> None:
    seat.sign_in(make_test_key(seat.server, "orders:read"))
    for path in ("/import", "/webhooks", "/playground", "/keys"):
        page = seat.go(path)
        buttons = page.locator("main form[method=post] button:not([data-copy])")
        assert buttons.count() > 0
        for place in range(buttons.count()):
            assert buttons.nth(place).is_disabled(), (path, buttons.nth(place).inner_text())
            assert "scope" in (buttons.nth(place).get_attribute("title") or "")


def test_hostile_strings_stay_text(seat: Seat) -> None:
    orders = []
    for number, text in enumerate(HOSTILE):
        order = karrio_order(100 + number, order_id=f"{text[:40]}{number}", source=text[:40])
        order["shipping_to"] |= {"city": text[:29], "person_name": text[:40]}
        order["metadata"] = {text[:60]: text}
        order["line_items"][0] |= {"title": text[:30], "weight_unit": text if number % 2 else "KG"}
        orders.append(order)
    answer = send(seat.server, "/v1/batches/orders", {"orders": orders})
    assert answer["status"] == "completed_with_errors"
    seat.sign_in()
    page = seat.go("/batches")
    page.locator("tbody a.id").first.click()
    assert page.locator("main img, main script").count() == 0
    page.goto(page.url + "?show=all")
    for link in [node.get_attribute("href") for node in page.locator("#orders a.id").all()]:
        for tab in ("", "?tab=sent", "?tab=brevo", "?tab=centra"):
            page.goto(seat.server.url + link + tab)
            assert page.locator("main img, main script").count() == 0
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0
    seat.go("/orders?q=" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E0")


def test_keys_search_and_preferences(seat: Seat) -> None:
    seat.sign_in()
    page = seat.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url(re.compile("/batches$"))
    page.keyboard.press("?")
    assert page.locator("#keys-help").is_visible()
    page.keyboard.press("Escape")
    page.click(".prefs summary")
    page.uncheck("#single-keys")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert not page.locator("#keys-help").is_visible()
    page.check("#single-keys")
    page.select_option("#zone", "browser")
    page.click(".prefs button:has-text('Save')")
    page.wait_for_load_state()
    assert "Europe/Zurich" in page.inner_text(".foot")


def test_nothing_moves_under_the_pointer_and_a_hidden_tab_rests(seat: Seat) -> None:
    send(seat.server, "/v1/batches/orders", {"orders": [karrio_order(201)]})
    seat.sign_in()
    page = seat.page
    page.evaluate("document.getElementById('live').dataset.every = '1'")
    page.hover(".rows tbody tr >> nth=0")
    page.wait_for_selector("text=paused while you are on it")
    page.mouse.move(5, 5)
    page.wait_for_selector("[data-pulse]:has-text('updated')")


def test_reading_works_without_scripts(chromium: Any, server: ServerProcess) -> None:
    seat = Seat(chromium, server, java_script_enabled=False).sign_in()
    for path in ("/batches", "/orders", "/webhooks", "/requests", "/system"):
        seat.go(path)
        assert seat.page.locator("h1").count() == 1
    seat.leave()


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_in_either_mode(chromium: Any, server: ServerProcess, listener: str, width: int) -> None:
    send(server, "/v1/batches/orders", {"orders": [karrio_order(301), wrong_order(302)]})
    send(server, "/api/v1/endpoints", {"url": listener})
    send(server, "/api/v1/presets/Night", {"columns": {"a": "reference"}}, method="PUT")
    file = send(server, "/api/v1/imports?name=night.csv", b"order_no,email\nN-1,ada@example.com\n")["id"]
    seat = Seat(chromium, server, color_scheme="light", viewport={"width": width, "height": 900}, bypass_csp=True)
    inspect(seat, "/login")
    seat.sign_in()
    lists = ("/batches", "/orders", "/requests", "/webhooks")
    batch, order, request, endpoint = [first_link(seat, path) for path in lists]
    for path in (
        "/", "/?range=1h", "/?range=7d", "/batches", batch, f"{batch}?show=all", "/orders", order, f"{order}?tab=sent",
        f"{order}?tab=events", "/import", f"/import/{file}", "/webhooks", endpoint, "/requests", request, "/keys",
        "/playground", "/reference/brevo", "/system", "/nowhere",
    ):  # fmt: skip
        inspect(seat, path)
    seat.leave()


def first_link(seat: Seat, path: str) -> str:
    seat.go(path)
    return str(seat.page.locator("main tbody tr[id] a").first.get_attribute("href"))


def inspect(seat: Seat, path: str) -> None:
    """All rules on the light page, those of colour again on the dark one; and nothing is wider than the window."""
    page = seat.go(path)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    assert findings(page, {"type": "tag", "values": tags}) == [], path
    page.emulate_media(color_scheme="dark")
    assert findings(page, {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}) == [], f"{path}, dark"
    page.emulate_media(color_scheme="light")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{path} is {overflow} pixels too wide"


def findings(page: Any, wanted: dict[str, Any]) -> list[str]:
    if not page.evaluate("() => 'axe' in window"):
        page.add_script_tag(path=str(AXE))
    found = page.evaluate("wanted => axe.run({runOnly: wanted, resultTypes: ['violations']})", wanted)
    return [f"{entry['id']}: {[node['target'] for node in entry['nodes']][:3]}" for entry in found["violations"]]
