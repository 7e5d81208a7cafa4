"""Presets of an account's own over our own API: kept, used for the next file, replaced, forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from speaking import Client

from ordermill.core.account import Scope
from ordermill.core.order import Mode
from ordermill.core.presets import PRESETS_MAX

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)]
API = "/api/v1"
NIGHT = {
    "contract": "brevo",
    "columns": {"Auftrag": "reference", "Mail": "identifiers.email", "Summe": "amount", "Notiz": "-"},
    "constants": {"currency": "CHF", "status": "paid"},
    "source": "erp",
    "zone": "Europe/Zurich",
    "decimal": ",",
    "historical": False,
}
FILE = "Auftrag;Mail;Summe;Notiz\nA-1;ada@example.com;10,50;gift\nA-2;bo@example.com;7,25;\n"


async def save(client: Client, name: str = "Night export", plan: Any = None, status: int = 201) -> Any:
    answer = await client.call("PUT", f"{API}/presets/{name}", NIGHT if plan is None else plan)
    assert answer.status_code == status, answer.text
    return answer.json()


async def upload(client: Client, content: str = FILE, **params: str) -> Any:
    answer = await client.post(f"{API}/imports", content.encode(), params={"name": "night.csv", **params})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_preset_is_kept_replaced_and_forgotten(client: Client) -> None:
    made = await save(client)
    assert (made["name"], made["plan"]["columns"]) == ("Night export", NIGHT["columns"])
    assert (made["plan"]["preset"], made["plan"]["presetApplied"], made["plan"]["zone"]) == (
        "", False, "Europe/Zurich",
    )  # fmt: skip
    again = await save(client, plan={**NIGHT, "source": "shop"}, status=200)
    assert (again["createdAt"], again["plan"]["source"]) == (made["createdAt"], "shop")
    await save(client, "%20another%20%E2%9C%93%20")
    assert [preset["name"] for preset in await client.data(f"{API}/presets")] == ["another ✓", "Night export"]
    assert (await client.call("DELETE", f"{API}/presets/Night export")).status_code == 204
    assert (await client.call("DELETE", f"{API}/presets/Night export")).status_code == 404
    assert [preset["name"] for preset in await client.data(f"{API}/presets")] == ["another ✓"]


async def test_the_next_file_is_mapped_by_naming_the_preset(client: Client) -> None:
    await save(client)
    found = await upload(client)
    assert (found["state"], found["plan"]["preset"]) == ("failed", "")  # nobody asked for what is saved
    path = f"{API}/imports/{found['id']}"
    answer = await client.call("PUT", f"{path}/plan", {"preset": "Night export", "source": "shop"})
    assert answer.status_code == 200, answer.text
    planned = answer.json()
    assert [column["field"] for column in planned["file"]["columns"]] == [
        "reference", "identifiers.email", "amount", "",
    ]  # fmt: skip
    assert {column["how"] for column in planned["file"]["columns"]} == {"preset", "ignored"}
    assert (planned["file"]["preset"], planned["plan"]["preset"], planned["plan"]["presetApplied"]) == (
        "Night export", "Night export", True,
    )  # fmt: skip
    assert (planned["plan"]["source"], planned["plan"]["historical"]) == ("shop", False)
    await save(client, plan={"columns": {"Auftrag": "status"}}, status=200)  # a change reaches no import of before
    await client.call("DELETE", f"{API}/presets/Night export")
    answer = await client.call("PUT", f"{path}/plan", {**planned["plan"], "onError": "stop"})
    assert answer.json()["file"]["columns"] == planned["file"]["columns"]
    await client.post(f"{path}/check")
    assert await client.house.importer.run_once()
    assert (await client.get(path)).json()["report"]["orders"] == 2


async def test_a_file_with_these_columns_is_recognised_where_that_is_asked_for(client: Client) -> None:
    await save(client)
    found = await upload(client, saved="true")
    assert (found["state"], found["file"]["preset"], found["plan"]["presetApplied"]) == ("ready", "Night export", True)
    assert found["file"]["guesses"][0].startswith("mapped as “Night export”, saved ")
    for other in (FILE.replace("Notiz", "Farbe"), FILE.replace("Notiz", "Notiz;Farbe")):
        assert (await upload(client, other, saved="true"))["plan"]["preset"] == ""
    assert (await upload(client, '{"order_id": "1"}\n', saved="true"))["plan"]["preset"] == ""
    assert (await upload(client, saved="false"))["plan"]["preset"] == ""


async def test_a_preset_is_kept_whole_whatever_it_was_made_of(client: Client) -> None:
    await save(client, "of a vendor", {"preset": "shopify", "source": "shop"})
    made = await save(client, "of our own", {"preset": "of a vendor", "zone": "Europe/Zurich"})
    assert made["plan"]["columns"]["Name"] == "reference"
    assert (made["plan"]["preset"], made["plan"]["source"], made["plan"]["zone"]) == ("", "shop", "Europe/Zurich")


@pytest.mark.parametrize(
    ("name", "plan", "field", "words"),
    [
        ("%20", {}, "name", "needs a name"),
        ("x" * 81, {}, "name", "at most 80"),
        ("a%0Ab", {}, "name", "control"),
        ("shopify", {}, "name", "choose another name"),
        ("Night", {"columns": {"a": "refrence"}}, "", "did you mean reference"),
        ("Night", {"colums": {}}, "colums", "did you mean columns"),
        ("Night", {"preset": "nobody's"}, "preset", "shopify"),
        ("Night", {"zone": "Mars/Olympus"}, "", "Europe/Zurich"),
        ("Night", {"columns": {f"{n:070}": "-" for n in range(1_000)}}, "", "name fewer columns"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_a_way_on(
    client: Client, name: str, plan: Any, field: str, words: str
) -> None:
    answer = await client.call("PUT", f"{API}/presets/{name}", plan)
    assert answer.status_code == 422, answer.text
    assert words in answer.text
    assert answer.json()["field"] == field
    assert await client.data(f"{API}/presets") == []


async def test_a_preset_that_nobody_knows_is_refused_by_a_plan(client: Client) -> None:
    await save(client)
    path = f"{API}/imports/{(await upload(client))['id']}/plan"
    answer = await client.call("PUT", path, {"preset": "Nigth export"})
    assert answer.status_code == 422
    assert answer.json()["field"] == "preset"
    assert "Night export, amazon" in answer.text


async def test_an_account_with_too_many_is_told_what_to_do(client: Client) -> None:
    who = (await save(client, "p0"))["name"]
    for number in range(1, PRESETS_MAX):
        await save(client, f"p{number}", {})
    refused = await client.call("PUT", f"{API}/presets/one more", {})
    assert (refused.status_code, "delete one" in refused.text) == (409, True)
    await save(client, who, {}, status=200)


async def test_presets_are_the_accounts_and_ask_for_the_scopes_of_imports(client: Client) -> None:
    await save(client)
    other = await client.as_key(account=f"other {id(client)}")
    assert await other.data(f"{API}/presets") == []
    assert (await other.call("DELETE", f"{API}/presets/Night export")).status_code == 404
    assert (await upload(other, saved="true"))["plan"]["preset"] == ""
    path = f"{API}/imports/{(await upload(other))['id']}/plan"
    assert (await other.call("PUT", path, {"preset": "Night export"})).status_code == 422
    await save(other, plan={})
    assert (await client.data(f"{API}/presets"))[0]["plan"]["source"] == "erp"
    reader = await client.as_key(scopes=(Scope.ORDERS_READ,))
    assert [preset["name"] for preset in await reader.data(f"{API}/presets")] == ["Night export"]
    assert (await reader.call("PUT", f"{API}/presets/x", {})).status_code == 403
    assert (await reader.call("DELETE", f"{API}/presets/Night export")).status_code == 403
    assert await (await client.as_key(mode=Mode.TEST)).data(f"{API}/presets") == []
