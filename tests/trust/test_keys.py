"""Keys: nothing but a hash is kept, time tells nothing, an end is an end on every process, guessing is slowed down."""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from postgres_server import drop_database, fresh_database
from server_process import ServerProcess

from ordermill.core.account import ApiKey, Scope, make_key, matches, take_apart
from ordermill.core.order import Mode

REVOKED_WITHIN_S = 5.0


def cli(server: ServerProcess, *words: str) -> Any:
    command = [sys.executable, "-m", "ordermill", *words]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if "--json" in words else done.stdout


def call(server: ServerProcess, key: str, path: str = "/v3/orders") -> tuple[int, dict[str, str], bytes]:
    header = {"api-key": key, "Authorization": f"{'Token' if path.startswith('/v1') else 'Bearer'} {key}"}
    asked = urllib.request.Request(server.url + path, headers={**header, "API-Authorization": key})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def revoke(server: ServerProcess, key_id: str) -> None:
    """At once where it is asked for; the other processes find out by themselves."""
    headers = {"Authorization": f"Bearer {server.key}"}
    asked = urllib.request.Request(f"{server.url}/api/v1/keys/{key_id}", method="DELETE", headers=headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 204


def until_refused(server: ServerProcess, key: str) -> float:
    began = time.monotonic()
    while call(server, key)[0] == 200:
        assert time.monotonic() - began < REVOKED_WITHIN_S, "still accepted"
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_key_ends_on_every_process_and_rotation_overlaps(postgres_url: str, tmp_path: Path) -> None:
    url = fresh_database(postgres_url)
    for name in "ab":
        (tmp_path / name).mkdir()
    with ServerProcess(tmp_path / "a", database_url=url) as one, ServerProcess(tmp_path / "b", database_url=url) as two:
        first = cli(one, "keys", "create", "first", "--json")
        assert [call(server, first["key"])[0] for server in (one, two)] == [200, 200]
        second = cli(one, "keys", "rotate", first["id"], "--json")
        assert [call(server, key["key"])[0] for server in (one, two) for key in (first, second)] == [200] * 4
        assert [call(server, first["key"])[0] for server in (one, two)] == [200, 200]
        revoke(one, first["id"])
        for server in (one, two):
            until_refused(server, first["key"])
            assert call(server, second["key"])[0] == 200
        third = cli(one, "keys", "rotate", second["id"], "--overlap-hours", "0", "--json")
        for server in (one, two):
            until_refused(server, second["key"])
            assert call(server, third["key"])[0] == 200
    drop_database(postgres_url, url)


def make_over_http(server: ServerProcess) -> list[str]:
    """The secrets of a new key and of the one that replaces it; neither answer may be kept for a repeat."""
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json", "Idempotency-Key": "k"}
    secrets_told = []
    path, body = "/api/v1/keys", b'{"name": "made over HTTP"}'
    for _ in range(2):
        asked = urllib.request.Request(server.url + path, body, headers, method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            told = json.load(answer)
        made = told.get("made", told)
        secrets_told.append(made["key"])
        path, body = f"/api/v1/keys/{made['id']}/rotate", b"{}"
    return secrets_told


def test_no_secret_lies_in_the_data_directory(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        by_hand = cli(server, "keys", "create", "by hand", "--json")
        made = [by_hand["key"], cli(server, "keys", "rotate", by_hand["id"], "--json")["key"], *make_over_http(server)]
        for key in [*made, server.key]:
            assert call(server, key)[0] == 200
            call(server, key + "x")
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for key in [*made, server.key]:
        assert key[-43:].encode() not in held  # its secret; only the last four characters are kept, as a hint
        assert key[-12:].encode() not in held
        assert key.encode() not in held


def test_an_unknown_id_takes_as_long_as_a_wrong_secret() -> None:
    text = make_key(Mode.LIVE)
    known = take_apart(text)
    key = ApiKey(
        account_id=1, id=known.id, name="", mode=Mode.LIVE, scopes=(Scope.ADMIN,), secret_hash=known.secret_hash,
        hint="", rate_limit=None, created_at=0,
    )  # fmt: skip
    guess = text[:-43] + secrets.token_urlsafe(32)
    times: dict[bool, list[int]] = {True: [], False: []}
    for _ in range(4_000):
        for there in (True, False):
            began = time.perf_counter_ns()
            assert not matches(take_apart(guess), key if there else None)
            times[there].append(time.perf_counter_ns() - began)
    ratio = statistics.median(times[True]) / statistics.median(times[False])
    assert 0.8 < ratio < 1.25, ratio


RATE_HEADERS = {
    "/v3/orders": ("x-sib-ratelimit-limit", "x-sib-ratelimit-remaining", "x-sib-ratelimit-reset"),
    "/centra/orders": ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    "/api/v1/orders": ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"),
    "/v1/orders": (),
}


def test_the_limit_of_a_key_speaks_the_words_of_its_contract(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        keys = {
            path: cli(server, "keys", "create", "slow", "--rate-limit", "5", "--json")["key"] for path in RATE_HEADERS
        }
        if time.time() % 60 > 45:  # the window is the minute: do not straddle two
            time.sleep(60 - time.time() % 60)
        for path, names in RATE_HEADERS.items():
            told = [call(server, keys[path], path) for _ in range(7)]
            assert [status for status, _, _ in told] == [200] * 5 + [429] * 2
            _, headers, body = told[-1]
            assert 1 <= int(headers["retry-after"]) <= 60
            assert all(name in headers and name in told[0][1] for name in names)
            if names:
                assert (headers[names[0]], headers[names[1]]) == ("5", "0")
            assert body
            assert call(server, server.key, path)[0] == 200, "others are not slowed down"


def test_guessing_is_slowed_down_and_known_keys_go_on(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, failed_keys_max="20") as server:
        assert call(server, server.key)[0] == 200
        told = [call(server, f"omk_live_{number:08d}_{'x' * 43}", path)[0] for number in range(12)
                for path in ("/v3/orders", "/v1/orders", "/api/v1/orders")]  # fmt: skip
        assert told[:20] == [401] * 20
        assert set(told[21:]) == {429}
        status, headers, _ = call(server, "omk_live_12345678_" + "y" * 43)
        assert (status, 1 <= int(headers["retry-after"]) <= 60) == (429, True)
        assert call(server, server.key)[0] == 200, "a key that was good a moment ago is not locked out"
