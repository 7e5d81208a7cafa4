"""`ordermill presets` and `ordermill import --preset`, on the ledger itself and through a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess

NAME = "Nächtlich 100% #1?"
TEXT = "Auftrag;Mail;Betrag;Datum\n{0}-1;ada@example.com;10,50;20.11.2026\n{0}-2;bo@example.com;7,25;20.11.2026\n"
MAPPED = (
    "--as", "brevo", "--map", "Auftrag=reference", "--map", "Mail=identifiers.email", "--map", "Betrag=amount",
    "--map", "Datum=placed_at", "--currency", "CHF", "--set", "status=paid", "--set", "lines.sku=X",
    "--set", "lines.unit_price=1",
)  # fmt: skip


@pytest.fixture(params=["the ledger", "a server"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data directory that nobody holds, or one that a server does."""
    folder = tmp_path / "data"
    if request.param == "the ledger":
        yield folder
        return
    folder.mkdir()
    with ServerProcess(folder, access_log="false", log_level="error") as server:
        yield server.data


def write(folder: Path, name: str) -> Path:
    path = folder / f"{name}.csv"
    path.write_text(TEXT.format(name), encoding="utf-8")
    return path


def test_a_mapping_is_saved_listed_used_night_after_night_and_deleted(
    ordermill: Any, data: Path, tmp_path: Path
) -> None:
    assert ordermill("presets", "list", data=data).code == 6
    saved = ordermill("presets", "save", f" {NAME} ", *MAPPED, "--live", data=data)
    assert (saved.code, f"--preset '{NAME}'" in saved.err) == (0, True), saved.err
    assert "4 of 4" in ordermill("presets", "list", data=data).out
    for night in ("mon", "tue"):
        ran = ordermill("import", write(tmp_path, night), "--preset", NAME, data=data)
        assert ran.code == 0, ran.out + ran.err
        assert f"mapped as “{NAME}”" in ran.err
    again = ordermill("import", tmp_path / "mon.csv", "--preset", NAME, data=data)
    assert "is in already" in again.err
    batches = ordermill("batches", "list", "--json", data=data).json
    assert [(batch["historical"], batch["counts"]["created"]) for batch in batches] == [(False, 2), (False, 2)]
    past = ordermill("import", write(tmp_path, "wed"), "--preset", NAME, "--historical", "--json", data=data)
    assert past.json["batch"]["counts"]["created"] == 2, past.out
    assert ordermill("batches", "list", "--json", data=data).json[0]["historical"] is True
    assert ordermill("presets", "delete", NAME, data=data).code == 0
    assert ordermill("presets", "delete", NAME, data=data).code == 6
    gone = ordermill("import", write(tmp_path, "thu"), "--preset", NAME, data=data)
    assert gone.code == 2
    assert "there are amazon" in gone.err


def test_what_cannot_be_kept_or_found_is_told_with_a_way_on(ordermill: Any, data: Path, tmp_path: Path) -> None:
    file = write(tmp_path, "mon")
    assert ordermill("presets", "save", "Night", *MAPPED, data=data).code == 0
    for arguments, words in (
        (("presets", "save", "shopify"), "choose another name"),
        (("presets", "save", "x" * 81), "at most 80"),
        (("presets", "save", "x", "--timezone", "Mars/Olympus"), "Europe/Zurich"),
        (("presets", "save", "x", "--set", "stat=paid"), "no field 'stat'"),
        (("import", file, "--preset", "Nigth"), "there are Night, amazon"),
    ):
        ran = ordermill(*arguments, data=data)
        assert (ran.code, words in ran.err) == (2, True), ran.err
    assert [preset["name"] for preset in ordermill("presets", "list", "--json", data=data).json] == ["Night"]
