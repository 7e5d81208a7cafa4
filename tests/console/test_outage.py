"""The ledger goes away under the console: pages say so and come back, and nothing on screen claims to be fresh."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from postgres_server import PostgresServer, fresh_database, installations
from server_process import ServerProcess

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@pytest.fixture
def database(unavailable: Any) -> Iterator[PostgresServer]:
    found = installations()
    if not found:
        unavailable("PostgreSQL")
    server = PostgresServer(next(iter(found.values())))
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path, database: PostgresServer) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, database_url=fresh_database(database.url)) as running:
        yield running


def test_a_page_says_since_when_the_ledger_is_away_and_what_that_means(
    database: PostgresServer, server: ServerProcess
) -> None:
    with httpx.Client(base_url=server.url) as http:
        form = http.post("/login", data={"key": server.key}, headers={"origin": server.url})
        assert form.status_code == 303, form.text
        assert http.get("/batches").status_code == 200
        database.crash()
        page = http.get("/batches")
        assert page.status_code == 503
        assert (page.headers["retry-after"], page.headers["refresh"]) == ("5", "5")
        assert "has not been reachable since" in page.text
        assert "answered with 503 and Retry-After" in page.text
        assert http.get("/batches.json").status_code == 503
        database.start_again()
        page = http.get("/batches")
        assert page.status_code == 200
        assert "refresh" not in page.headers


@pytest.mark.browser
def test_a_page_that_is_open_does_not_claim_to_be_fresh(
    database: PostgresServer, server: ServerProcess, unavailable: Any
) -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        unavailable("Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(server.url + "/login")
        page.fill("#key", server.key)
        page.click("text=Sign in")
        page.goto(server.url + "/batches")
        page.evaluate("setInterval(() => { document.getElementById('live').dataset.every = '1' }, 100)")
        page.wait_for_selector("[data-pulse]:has-text('updated')")
        database.crash()
        page.wait_for_selector("[data-pulse]:has-text('not reached since')", timeout=20_000)
        assert page.locator("#live").count() == 1, "what stood there stays"
        database.start_again()
        page.wait_for_selector("[data-pulse]:has-text('updated')", timeout=20_000)
        browser.close()
