"""How the statements are made: the same names on both engines, and the account in everything that writes or locks."""

from __future__ import annotations

import re

import pytest
from ledgers import ask, empty_engine

from ordermill.store import migrating, sql

ENGINES = ("sqlite", "postgres")
# Found by what is presented, before it is known whose it is: small tables, whole on every node.
OF_THE_HOUSE = {"account", "schema_migration"}
# For a process that knows it is the only one, so never where tables are spread.
OF_ALL_ACCOUNTS = {"release_all"}
WRITES = re.compile(r"^\s*(?:WITH .*? AS \(.*?\)\s*)?(INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)", re.S)
ACCOUNT = re.compile(r"\baccount_id = (?:\?|0|v\.column1|\w+\.account_id)")


def statements(engine: str) -> list[tuple[str, str]]:
    return sorted(sql.load(engine).items())


def test_both_engines_define_the_same_statements() -> None:
    assert sql.load("sqlite").keys() == sql.load("postgres").keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_statement_takes_as_many_parameters_on_both_engines(engine: str) -> None:
    """Sets of rows aside, which travel in the engine's own way."""
    others = sql.load(ENGINES[1 - ENGINES.index(engine)])
    for name, text in statements(engine):
        if (
            "{rows" not in text
            and "unnest(" not in text
            and "{rows" not in others[name]
            and "unnest(" not in others[name]
        ):
            assert text.count("?") == others[name].count("?"), name


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_writes_or_locks_names_the_account(engine: str) -> None:
    """So the same statements run where the tables are spread by account: each goes to one node."""
    seen = 0
    for name, text in statements(engine):
        write = WRITES.match(text)
        if write is None:
            if "FOR UPDATE" in text:
                assert ACCOUNT.search(text), f"{name} locks rows of any account"
            continue
        verb, table = write.groups()
        if table in OF_THE_HOUSE or name in OF_ALL_ACCOUNTS:
            continue
        seen += 1
        if verb == "INSERT INTO":
            columns = text[text.index("(") : text.index(")")]
            assert "account_id" in columns, f"{name} inserts without an account"
        else:
            assert ACCOUNT.search(text), f"{name} writes rows of any account"
    assert seen > 15


def test_every_key_and_foreign_key_on_postgres_begins_with_or_holds_the_account() -> None:
    """A unique key without the account cannot be kept where tables are spread by account."""
    text = "\n".join(migration.text for migration in migrating.shipped("postgres"))
    tables = re.findall(r"CREATE TABLE (\w+) \((.*?)\n\);", text, re.S)
    assert len(tables) > 8
    for table, body in tables:
        if table in OF_THE_HOUSE:
            continue
        assert re.search(r"PRIMARY KEY \(account_id, ", body), f"{table} has a key that does not begin with the account"
        for target, columns in re.findall(r"REFERENCES (\w+) \(([^)]*)\)", body):
            assert target in OF_THE_HOUSE or "account_id" in columns, f"{table} points across accounts"
    for name, columns in re.findall(r"CREATE UNIQUE INDEX (\w+) ON \w+ \(([^)]*)\)", text):
        assert columns.startswith("account_id") or name == "api_key_id", f"{name} is unique over all accounts"
    assert "CREATE TRIGGER" not in text


def test_every_statement_can_be_prepared_on_sqlite(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """So no column is misspelled in a statement that no test happens to reach."""
    with empty_engine("sqlite", tmp_path, lambda: "") as engine:
        for name, text in statements("sqlite"):
            if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", text) and "{" not in text:
                ask(engine, "EXPLAIN " + text, *[None] * text.count("?"))
            assert name


# The loader itself.


def test_comments_between_statements_are_no_part_of_them() -> None:
    found = sql.parse(
        "-- of the file\n\n-- name: one\n-- why\nSELECT 1;\n\n-- name: order.two\nSELECT\n    2\n", "x.sql"
    )
    assert found == {"one": "SELECT 1", "order.two": "SELECT\n    2"}


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x\.sql names one twice"):
        sql.parse("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n", "x.sql")
