"""Settings, directories and addresses that cannot be used: one plain line each, and an exit code of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Ordermill


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"ORDERMILL_PORT": "abc"}, "ORDERMILL_PORT is 'abc': it must be a whole number from 0 to 65535"),
        ({"ORDERMILL_PORT": "99999"}, "ORDERMILL_PORT is '99999': it must be a whole number from 0 to 65535"),
        ({"ORDERMILL_CODES": "iso"}, "ORDERMILL_CODES is 'iso': it must be one of contract, extended"),
        ({"ORDERMILL_ACCESS_LOG": "maybe"}, "ORDERMILL_ACCESS_LOG is 'maybe': it must be true or false"),
        ({"ORDERMILL_RAW_RETENTION_DAYS": "-1"}, "ORDERMILL_RAW_RETENTION_DAYS is '-1': it must be a whole number"),
        ({"ORDERMILL_CENTRA_TIMEZONE": "Mars"}, "ORDERMILL_CENTRA_TIMEZONE is 'Mars': it must be a time zone"),
        ({"ORDERMILL_TRUSTED_PROXIES": "10.0.0.1, abc"}, "ORDERMILL_TRUSTED_PROXIES has 'abc'"),
        ({"ORDERMILL_ROOT_PATH": "orders"}, "ORDERMILL_ROOT_PATH is 'orders': it must begin with a slash"),
        ({"ORDERMILL_WEBHOOK_RETRIES": "5x"}, "ORDERMILL_WEBHOOK_RETRIES is '5x': it must be 1 to 100 waits"),
        ({"ORDERMILL_WEBHOOK_ALLOW": "here/99"}, "ORDERMILL_WEBHOOK_ALLOW: 'here/99' is neither"),
        ({"ORDERMILL_DATABASE_URL": "mysql://me:secret@db/x"}, "ORDERMILL_DATABASE_URL must look like postgresql://"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_it_may_be(
    ordermill: Ordermill, setting: dict[str, str], told: str
) -> None:
    ran = ordermill("config", "check", **setting)
    assert (ran.code, ran.out) == (3, "")
    assert told in ran.err
    assert "secret" not in ran.err


def test_a_database_may_be_named_in_both_of_its_forms(ordermill: Ordermill) -> None:
    for said in ("host=/run/postgresql dbname=x", "postgres://u@h/x"):
        assert ordermill("config", "check", ORDERMILL_DATABASE_URL=said).code == 0


def test_every_setting_that_cannot_be_used_is_named_at_once(ordermill: Ordermill, tmp_path: Path) -> None:
    file = tmp_path / "o.toml"
    file.write_text('port = 70000\ncodes = "iso"\n')
    ran = ordermill("config", "check", ORDERMILL_CONFIG=str(file), ORDERMILL_LANES="0")
    assert ran.code == 3
    assert "port in the settings file is 70000" in ran.err
    assert "codes in the settings file is 'iso'" in ran.err
    assert "ORDERMILL_LANES is '0'" in ran.err


def test_a_variable_that_is_no_setting_is_told_with_the_one_that_was_meant(ordermill: Ordermill) -> None:
    ran = ordermill("config", "check", ORDERMILL_WEBHOOKS_ALLOW="127.0.0.1", ORDERMILL_SERVER="http://x")
    assert ran.code == 0
    assert ran.err == "warning: there is no setting ORDERMILL_WEBHOOKS_ALLOW; did you mean ORDERMILL_WEBHOOK_ALLOW?\n"


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("keys", "list"), ("import", "x.csv")])
def test_a_data_directory_that_cannot_be_made_is_one_line(
    ordermill: Ordermill, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "x.csv").write_text("order_id,country,weight,weight_unit\n1,CH,1,KG\n")
    (tmp_path / "file").write_text("")
    ran = ordermill(*command, "--data", tmp_path / "file" / "data")
    assert ran.code == 3
    assert ran.err.splitlines()[-1].startswith(f"ordermill: the data directory {tmp_path}/file/data cannot be used: ")
    assert "--data" in ran.err


def test_a_port_that_does_not_exist_is_a_mistake_of_the_command(ordermill: Ordermill, tmp_path: Path) -> None:
    ran = ordermill("serve", "--port", "99999", data=tmp_path / "d")
    assert ran.code == 2
    assert "65535" in ran.err


def test_a_ledger_that_is_not_there_is_not_moved(ordermill: Ordermill, tmp_path: Path) -> None:
    ran = ordermill("migrate-store", "--from", tmp_path / "nowhere", "--to", tmp_path / "new")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"ordermill: there is no ledger in {tmp_path}/nowhere\n"
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "new").exists()


def test_nothing_is_asked_where_nobody_can_answer(ordermill: Ordermill, tmp_path: Path) -> None:
    ran = ordermill("erase", "--email", "jane@example.com", data=tmp_path / "d")
    assert (ran.code, ran.out) == (2, "")
    assert "--yes" in ran.err


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("keys", "revoke", "nope"), 6),
        (("keys", "create", "x", "--account", "nope"), 6),
        (("accounts", "create", "default"), 2),
        (("webhooks", "add", "ftp://x.example"), 2),
    ],
)
def test_what_is_not_there_and_what_cannot_be_meant_have_exit_codes_of_their_own(
    ordermill: Ordermill, tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    assert ordermill(*command, data=tmp_path / "d").code == code


def test_a_backup_without_its_second_file_says_which_one_is_missing(ordermill: Ordermill, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"x")
    ran = ordermill("backup", "verify", tmp_path / "copy.db")
    assert ran.code == 3
    assert "copy.json is not there: a backup is two files" in ran.err


def test_a_database_that_cannot_be_reached_says_why(ordermill: Ordermill) -> None:
    ran = ordermill("keys", "list", "--database-url", "postgresql://me:secret@127.0.0.1:1/orders")
    assert ran.code == 3
    assert "refused" in ran.err
    assert "secret" not in ran.err


def test_a_damaged_ledger_is_told_with_what_to_do(ordermill: Ordermill, tmp_path: Path) -> None:
    data = tmp_path / "d"
    data.mkdir()
    (data / "ordermill.db").write_bytes(b"no database " * 1_000)
    for command in (("serve", "--port", "0"), ("keys", "list"), ("orders", "list")):
        ran = ordermill(*command, data=data)
        assert (ran.code, ran.out) == (3, "")
        assert "the ledger is damaged, or no ledger" in ran.err
        assert "backup restore" in ran.err
    ran = ordermill("doctor", data=data)
    assert ran.code == 1
    assert "database is damaged, or none: file is not a database   → keep the file" in ran.out
