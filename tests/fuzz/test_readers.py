"""What the readers of the three contracts do with any bytes: an order, a problem or a refusal, never anything else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordermill import examples
from ordermill.app import make_dialects, make_limits
from ordermill.config import Config
from ordermill.core.batch import Draft
from ordermill.core.errors import Refusal
from ordermill.core.mill import Mill
from ordermill.dialects.dialect import Dialect

NOW = 1_700_000_000_000_000
NOTHING: Any = None
LIMITS = make_limits(Config())
DIALECTS = {dialect.name: dialect for dialect in make_dialects(Mill(NOTHING, LIMITS), LIMITS, Config())}
SHORT, LONG = 150, 20_000

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.text(), st.just("\0"),
    st.sampled_from(["", "NaN", "1e999", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "x" * 11_000, "-0"]),
)  # fmt: skip
ANYTHING = st.recursive(ODD, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


def _orders(name: str) -> list[dict[str, Any]]:
    if name == "centra":
        return [order for order in json.loads(examples.body("centra_batch")).values() if "products" in order]
    found: list[dict[str, Any]] = json.loads(examples.body(f"{name}_batch"))["orders"]
    return found


@st.composite
def near_orders(draw: st.DrawFn, name: str) -> bytes:
    """A documented order in which something, at any depth, was replaced, removed or added."""
    order: Any = json.loads(json.dumps(draw(st.sampled_from(_orders(name)))))
    for _ in range(draw(st.integers(1, 4))):
        place = order
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            what = draw(st.sampled_from(["replace", "remove", "add"]))
            if what == "remove" and isinstance(place, dict):
                del place[key]
            elif what == "add" and isinstance(place, dict):
                place[draw(st.text(max_size=20))] = draw(ANYTHING)
            else:
                place[key] = draw(ANYTHING)
            break
    return json.dumps(order).encode("utf-8", "surrogatepass")


def check_draft(dialect: Dialect, draft: Draft) -> None:
    """Whatever came of it can be kept and shown: valid text, within what both stores hold."""
    assert (draft.order is None) == bool(draft.problems)
    for problem in draft.problems:
        assert problem.code
        assert problem.message
        msgspec.json.encode(problem)
    if draft.order is not None:
        order = draft.order
        assert "\0" not in order.document
        order.document.encode()
        assert order.reference is None or (0 < len(order.reference) <= 255 and "\0" not in order.reference)
        assert -(2**63) <= order.placed_at < 2**63
        assert -(2**63) <= order.content_hash < 2**63
        for kind, value in order.identifiers:
            assert kind
            assert value
            assert "\0" not in value
            assert len(value.encode()) < 2_600, "too long for an index of PostgreSQL"
    draft.document.encode()


def read(dialect: Dialect, document: bytes) -> None:
    check_draft(dialect, dialect.read_draft("0", document, now=NOW))


def run(name: str, examples_max: int) -> None:
    dialect = DIALECTS[name]
    calm = settings(max_examples=examples_max, deadline=None, suppress_health_check=list(HealthCheck), database=None)

    @calm
    @given(near_orders(name))
    def near(document: bytes) -> None:
        read(dialect, document)

    @calm
    @given(
        st.one_of(
            st.binary(max_size=400), ANYTHING.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
        )
    )
    def body(data: bytes) -> None:
        with suppress(Refusal):
            for draft in dialect.read_batch(data, now=NOW).drafts:
                check_draft(dialect, draft)

    near()
    body()


@pytest.mark.parametrize("name", DIALECTS)
def test_readers(name: str) -> None:
    run(name, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", DIALECTS)
def test_readers_at_length(name: str) -> None:
    run(name, LONG)
