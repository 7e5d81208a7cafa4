"""Addresses of servers as people mistype them, and servers that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Ordermill

ROWS = "order_id,country,weight,weight_unit\n1,CH,1,KG\n2,XX,1,KG\n3,XX,1,stone\n"


@pytest.mark.parametrize("said", ["localhost:8080", "ftp://localhost", "http://", "8080"])
def test_an_address_without_http_is_a_mistake_of_the_command(ordermill: Ordermill, tmp_path: Path, said: str) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    for ran in (
        ordermill("batches", "list", "--server", said, "--key", "k"),
        ordermill("push", "x.csv", "--to", said, "--dialect", "karrio", "--key", "k"),
    ):
        assert (ran.code, ran.out) == (2, "")
        assert "must be an address that begins with http:// or https://" in ran.err


def test_a_push_to_a_server_that_is_not_there_says_so_plainly(ordermill: Ordermill, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    ran = ordermill(
        "push", "x.csv", "--to", "http://127.0.0.1:1", "--dialect", "karrio", "--key", "k", XDG_STATE_HOME=str(tmp_path)
    )
    assert ran.code == 5
    assert "http://127.0.0.1:1: Connection refused" in ran.err


def test_a_conversion_says_what_to_do_about_what_could_not_be_read(ordermill: Ordermill, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "order_id,date,email,total\n" + "".join(f"{n},2026-11-20,a@b.ch,1\n" for n in range(12))
    )
    ran = ordermill("convert", "x.csv", "--to", "brevo")
    assert ran.code == 1
    assert "order 2: status: required, but not given   → map a column, or give one for all: --set status=" in ran.err
    assert "and 2 further orders" in ran.err
