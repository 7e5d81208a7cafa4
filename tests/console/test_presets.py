"""The wizard keeps a mapping under a name and uses it again: saved, recognised, chosen, left again, deleted."""

from __future__ import annotations

import pytest
from visiting import Seen, Visitor, sender

from ordermill.app import House
from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.files.mapping import Plan
from ordermill.files.saved import write_kept

pytestmark = pytest.mark.anyio
HEAD = b"order_no;Mail;Summe;Farbe\n"
FILE = HEAD + b"A-1;ada@example.com;10,50;blue\n"
UNKNOWN = b"Auftrag;Mail;Summe;Farbe\nA-1;ada@example.com;10,50;blue\n"


async def upload(visitor: Visitor, content: bytes = FILE) -> tuple[Seen, str]:
    """The mapping of a new file, and its address."""
    page = await visitor.post("/import", await visitor.get("/import"), file=("night.csv", content, "text/csv"))
    return page, str(page.answer.request.url.path)


def chosen(page: Seen, select: str) -> str:
    found = page.all(f"select#{select} option[selected]")
    return found[0].attributes["value"] or "" if found else ""


def fields(page: Seen) -> list[str]:
    return [chosen(page, f"column-{index}") for index in range(len(page.all("table.map th")))]


async def save(visitor: Visitor, name: str = "Night “export” <1>") -> str:
    """A file is mapped by hand, and the mapping saved. Where the file is."""
    page, path = await upload(visitor)
    page = await visitor.post(
        f"{path}/plan", page, do="save", source="ERP", currency="chf", contract="brevo", announce="1", group="all",
        date="DD.MM.YYYY", zone="Europe/Zurich",
        **{"save-as": f" {name} ", "column-1": "identifiers.email", "column-2": "amount", "column-3": "metadata"},
    )  # fmt: skip
    assert page.status == 200, page.text
    assert f"Saved as “{name}”." in page.text
    return path


async def test_the_next_file_of_the_same_shape_is_mapped_at_once(visitor: Visitor, house: House) -> None:
    await save(visitor)
    page, path = await upload(visitor, FILE.replace(b"A-1", b"A-2"))
    assert fields(page) == ["reference", "identifiers.email", "amount", "metadata"]
    sentence = page.one("ul.guess").text()
    assert "mapped as “Night “export” <1>”, saved " in sentence
    assert chosen(page, "preset") == "Night “export” <1>"
    assert [group.attributes["label"] for group in page.all("#preset optgroup")] == ["Saved here"]
    form = page.form(f"{path}/plan")
    assert (form["source"], form["currency"], form["zone"], form["date"]) == (
        "ERP", "CHF", "Europe/Zurich", "DD.MM.YYYY",
    )  # fmt: skip
    assert (form["announce"], form["group"], form["save-as"]) == ("1", "all", "Night “export” <1>")
    assert chosen(page, "contract") == "brevo"
    await visitor.post(f"{path}/plan", page, do="check")
    assert await house.importer.run_once()
    assert "Checked; nothing was written" in (await visitor.get(path)).text


async def test_a_file_with_other_columns_gets_it_by_choosing(visitor: Visitor) -> None:
    await save(visitor)
    page, path = await upload(visitor, FILE.replace(b"Farbe", b"Farbe;Neu"))
    assert chosen(page, "preset") == ""
    page = await visitor.post(f"{path}/plan", page, do="keep", preset="Night “export” <1>", source="shop")
    assert fields(page) == ["reference", "identifiers.email", "amount", "metadata", ""]
    form = page.form(f"{path}/plan")
    assert (form["source"], form["currency"], form["announce"]) == ("shop", "CHF", "1")
    page = await visitor.post(f"{path}/plan", page, do="keep", preset="")
    assert "Night" not in page.one("h1 + p").text()
    form = page.form(f"{path}/plan")
    assert (form["source"], form["currency"], form.get("announce")) == ("", "", None)


async def test_a_file_that_nobody_could_read_is_read_by_choosing(visitor: Visitor, house: House) -> None:
    page, path = await upload(visitor, UNKNOWN)
    assert "no column was recognised as the order's id" in page.text
    assert page.buttons("Save as preset") == []
    told = Plan(columns={"Auftrag": "reference", "Mail": "identifiers.email"}, contract="brevo")
    await house.presets.save(sender(), "German", write_kept(told))
    page = await visitor.post(f"{path}/plan", await visitor.get(path), do="keep", preset="German")
    assert fields(page) == ["reference", "identifiers.email", "", ""]


async def test_a_preset_is_replaced_under_its_name_and_deleted_and_the_audit_log_says_so(
    visitor: Visitor, house: House
) -> None:
    path = await save(visitor)
    page = await visitor.get(path)
    page = await visitor.post(f"{path}/plan", page, do="save", **{"column-3": ""})
    assert fields(page) == ["reference", "identifiers.email", "amount", ""]
    page = await visitor.get("/import")
    assert [node.text() for node in page.all("section[aria-labelledby=own-title] tbody td.brk")] == [
        "Night “export” <1>"
    ]
    assert "3 of 4" in page.text
    after = await visitor.post("/import/presets/delete", page)
    assert "Deleted “Night “export” <1>”." in after.text
    assert after.all("section[aria-labelledby=own-title]") == []
    page = await visitor.get(path)  # its file is read as before
    assert chosen(page, "preset") == "Night “export” <1>"
    page = await visitor.post(f"{path}/plan", page, do="keep", preset="Night “export” <1>", source="shop")
    assert fields(page) == ["reference", "identifiers.email", "amount", ""]
    deeds = [(deed.action, deed.subject) for deed in await house.console.store.find_deeds(1)]
    assert [deed for deed in deeds if "preset" in deed[0]] == [
        ("deleted a preset", "Night “export” <1>"),
        ("saved a preset", "Night “export” <1>"),
        ("saved a preset", "Night “export” <1>"),
    ]


@pytest.mark.parametrize(
    ("name", "words"), [("", "needs a name"), ("a/b", "slash"), ("x" * 81, "at most 80"), ("shopify", "another name")]
)
async def test_a_name_that_is_none_is_refused_and_nothing_is_saved(visitor: Visitor, name: str, words: str) -> None:
    page, path = await upload(visitor)
    refused = await visitor.post(f"{path}/plan", page, do="save", **{"save-as": name})
    assert refused.status == 422
    assert words in refused.text
    assert "Saved presets" not in (await visitor.get("/import")).text


async def test_who_only_reads_sees_presets_and_may_change_none(visitor: Visitor, house: House) -> None:
    path = await save(visitor, "Night")
    reader = await Visitor(house).by_key(Scope.ORDERS_READ)
    page = await reader.get("/import")
    (button,) = page.buttons("Delete")
    assert "disabled" in button.attributes
    assert "orders:write" in (button.attributes["title"] or "")
    (button,) = (await reader.get(path)).buttons("Save as preset")
    assert "disabled" in button.attributes
    assert (await reader.post("/import/presets/delete", page)).status == 403
    live = await Visitor(house).by_link(Mode.LIVE)
    assert "Night" in (await live.get("/import")).text  # what was tried in test mode is there
    for one in (reader, live):
        await one.http.aclose()
