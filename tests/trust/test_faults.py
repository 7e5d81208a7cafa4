"""When something fails on our side, the answer is in the contract's form and says nothing of the inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from trust.test_isolation import BREVO, CENTRA, KARRIO, headers

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.web.manage_keys import new_key

INSIDE = "SELECT secretcanary FROM orders -- /srv/ordermill/store/intake.py"
CALLS = (
    ("POST", "/v3/orders/status", BREVO),
    ("POST", "/v3/orders/status/batch", {"orders": [BREVO]}),
    ("POST", "/v1/batches/orders", {"orders": [KARRIO]}),
    ("POST", "/v1/orders", KARRIO),
    ("POST", "/centra/order", CENTRA),
    ("POST", "/centra/orders", {"a": CENTRA}),
    ("POST", "/api/v1/batches", {"contract": "karrio", "orders": [KARRIO]}),
)


class Broken(Exception):
    """What nobody thought of."""


async def broken(*_: Any, **__: Any) -> Any:
    raise Broken(INSIDE)


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_an_answer_to_our_own_failure_tells_nothing_of_the_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    config = Config(data=str(tmp_path), access_log=False)
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)
    try:
        key, secret = new_key(1, "tests", Mode.LIVE, (Scope.ADMIN,), rate_limit=None, expires_at=None)
        await house.ledger.save_key(key)
        monkeypatch.setattr(house.ledger, "settle", broken)
        transport = httpx.ASGITransport(app=house.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://mill.test") as http:
            answer = await http.request(method, path, json=body, headers=headers(path, secret))
        assert answer.status_code == 500
        assert answer.headers["content-type"].startswith("application/")
        answer.json()
        told = answer.text + str(dict(answer.headers))
        for word in ("secretcanary", "SELECT", "Broken", "Traceback", ".py", "intake", "sqlite"):
            assert word not in told, word
        assert answer.headers["x-request-id"], "by which its log line is found"
    finally:
        house.close()
