"""What the readers of the three contracts do with any bytes: an order, a problem or a refusal, never anything else."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
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

# JSON as text, for much of it cannot be made from values: numbers no float holds, halves of pairs, names given twice.
SHARP = (
    "null", "true", "0", "-0", "-1", "1.5", "9223372036854775808", "-9223372036854775809", "9" * 400, "0." + "1" * 100,
    "1e15", "1e308", "1e400", "-1e400", "1e-400", "0e-999999999", "1e99999999999999999999", "NaN", "-Infinity",
    '""', '" "', '"\\u0000"', '"a\\u0000"', '"\\ud800"', '"\\udc00a"', '"\\ud83d\\ude00"', '"\U0001f600"',
    f'"{"x" * 300}"', f'"{"x" * 11_000}"', '"NaN"', '"1_0"', '"+1"', '"\u0967"',
    '"1e9999999"', '"-1e-9999999"', '"1e999999999999999999999"', '"-1e-999999999999999999999"',
    '"9999-12-31T23:59:59-23:59"', '"0001-01-01T00:00:00+14:00"', '"0000-00-00T00:00:00Z"', '"2024-02-30"',
    "[]", "[null]", "[[]]", "[1,", "{}", '{"a": 1, "a": 2}', '{"\\u0000": 1}', '{"\\ud800": 1}', "[" * 100 + "]" * 100,
    "[" * 5_000 + "]" * 5_000, '{"a":' * 70 + "1" + "}" * 70,
)  # fmt: skip
MARK = "put it here"


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


def names_of(name: str) -> list[str]:
    """Every name that an object of this contract may hold, and one that nobody knows."""
    known = vars(importlib.import_module(f"ordermill.dialects.{name}.wire")).values()
    structs = [kind for kind in known if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    return sorted({field for kind in structs for field in kind.__struct_encode_fields__} | {"unknown"})


def places(value: Any, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The way to the whole and to each member at any depth; in each object also those that it does not hold yet."""
    yield ()
    members = [*({name: None for name in names} | value).items()] if isinstance(value, dict) else []
    members += list(enumerate(value))[:1] if isinstance(value, list) else []
    for key, inner in members:
        for way in places(inner, names):
            yield (key, *way)


def spoiled(order: dict[str, Any], way: tuple[Any, ...], text: str) -> bytes:
    """The order as JSON, with the text in that place."""
    whole: Any = [json.loads(json.dumps(order))]
    place, key = whole, 0
    for step in way:
        place, key = place[key], step
    place[key] = MARK
    return json.dumps(whole[0]).replace(json.dumps(MARK), text).encode()


@pytest.mark.parametrize("name", DIALECTS)
def test_every_sharp_text_in_every_place(name: str) -> None:
    """Chance finds the one bad value for the one field too seldom. Alone, and beside an order that is good."""
    dialect, names = DIALECTS[name], names_of(name)
    known: set[tuple[Any, ...]] = set()
    for order in _orders(name):
        good = json.dumps(order).encode()
        ways = set(places(order, names)) - known
        known |= ways
        for way in ways:
            for text in SHARP:
                document = spoiled(order, way, text)
                read(dialect, document)
                pair = b'{"a": %b, "b": %b}' if name == "centra" else b'{"orders": [%b, %b]}'
                with suppress(Refusal):
                    for draft in dialect.read_batch(pair % (document, good), now=NOW).drafts:
                        check_draft(dialect, draft)


@pytest.mark.parametrize("name", DIALECTS)
def test_readers(name: str) -> None:
    run(name, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", DIALECTS)
def test_readers_at_length(name: str) -> None:
    run(name, LONG)
