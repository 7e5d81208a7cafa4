"""The OpenAPI documents: valid, complete, and true to the types and tables they are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from speaking import Client

from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.limits import Limits
from ordermill.dialects.karrio.routes import Settings
from ordermill.web.documents import contracts
from ordermill.web.openapi import write_document
from ordermill.web.openapi_karrio import karrio

NAMES = ("brevo", "karrio", "centra", "ordermill")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def whole_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    config = Config(data=str(tmp_path_factory.mktemp("house")), access_log=False)
    engine = make_engine(config)
    prepare(engine, config)
    house = House(config, engine)
    yield house
    house.close()


@pytest.fixture(scope="module")
def documents(whole_house: House) -> dict[str, Document]:
    made = contracts(whole_house.manage, whole_house.limits, whole_house.config)
    return {name: json.loads(json.dumps(write_document(make()))) for name, make in made.items()}


def operations(document: Document) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def validator(document: Document, schema: Any) -> jsonschema.Draft202012Validator:
    whole = {**schema, "components": document["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_openapi_31_and_its_schemas_are_schemas(documents: dict[str, Document], name: str) -> None:
    document = documents[name]
    OPENAPI_31_VALIDATOR.validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


@pytest.mark.parametrize("name", NAMES)
def test_a_document_describes_every_route_and_no_other(
    documents: dict[str, Document], whole_house: House, name: str
) -> None:
    faces = {face.name: face for face in (*whole_house.dialects, whole_house.manage)}
    face = faces[name]
    routed = {(route.method, face.prefix + route.pattern.rstrip("/")) for route in face.routes}
    assert {(method, path) for method, path, _ in operations(documents[name])} == routed


@pytest.mark.parametrize("name", NAMES)
def test_names_are_fit_for_generated_clients(documents: dict[str, Document], name: str) -> None:
    document = documents[name]
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9]*(_[a-z0-9]+)*", one) for one in ids)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", one) for one in document["components"]["schemas"])
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["tags"][0] in {tag["name"] for tag in document["tags"]}


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_what_their_schemas_ask_for(documents: dict[str, Document], name: str) -> None:
    document = documents[name]
    for _, _, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            for example in media.get("examples", {}).values():
                validator(document, media["schema"]).validate(example["value"])


def test_operation_ids_are_a_promise(documents: dict[str, Document]) -> None:
    """Generated clients call them: whoever changes one breaks somebody."""
    ids = {name: {operation["operationId"] for _, _, operation in operations(documents[name])} for name in NAMES}
    assert ids["brevo"] == {"createOrder", "createBatchOrder", "getOrders", "activateTheECommerceApp"}
    assert ids["karrio"] >= {
        "create_order_batch", "list_batch_operations", "retrieve_batch_operation", "create_order", "list_orders",
        "retrieve_order", "update_order", "cancel_order", "dismiss_order",
    }  # fmt: skip
    assert {one for one in ids["centra"] if not one.endswith("InStore")} == {
        "createOrder", "createOrders", "getOrders", "updateOrder", "completeOrder",
    }  # fmt: skip
    assert ids["ordermill"] >= {
        "listBatches", "getBatch", "listBatchItems", "listBatchCauses", "cancelBatch", "downloadFailedCsv",
        "downloadFailedNdjson", "createBatch", "retryBatch", "resubmitBatch", "listOrders", "getOrder",
        "getOrderByReference", "getOrderHistory", "getOrderRaw", "listKeys", "createKey", "rotateKey", "revokeKey",
        "listAccounts", "createAccount", "getOverview", "getLimits",
    }  # fmt: skip


def test_what_the_contracts_fix_stands_in_the_documents(documents: dict[str, Document]) -> None:
    brevo, of_karrio, centra = (documents[name]["paths"] for name in ("brevo", "karrio", "centra"))
    assert "204" in brevo["/v3/orders/status"]["post"]["responses"]
    assert "content" not in brevo["/v3/orders/status"]["post"]["responses"]["204"]
    assert "202" in brevo["/v3/orders/status/batch"]["post"]["responses"]
    assert "409" not in brevo["/v3/orders/status/batch"]["post"]["responses"]
    good = [status for status in of_karrio["/v1/batches/orders"]["post"]["responses"] if status.startswith("2")]
    assert good == ["200"]
    assert "201" in of_karrio["/v1/orders"]["post"]["responses"]
    assert "200" in centra["/centra/orders"]["post"]["responses"]
    schemes = documents["brevo"]["components"]["securitySchemes"]
    assert schemes["api-key"] == {"type": "apiKey", "in": "header", "name": "api-key"}
    batch = documents["brevo"]["components"]["schemas"]["OrderBatch"]["properties"]
    assert batch["orders"]["maxItems"] == 1000
    assert batch["historical"]["default"] is True
    country = documents["karrio"]["components"]["schemas"]["AddressData"]["properties"]["country_code"]
    assert len(country["enum"]) == 240


def test_the_karrio_document_follows_the_limits_that_were_chosen() -> None:
    def city(limits: Any) -> Any:
        document = write_document(karrio(Limits(), Settings(limits=limits)))
        return document["components"]["schemas"]["AddressData"]["properties"]["city"]["anyOf"][0]["maxLength"]

    assert (city("source"), city("2025")) == (30, 50)


def test_the_documented_examples_of_the_contracts_fit_their_schemas(documents: dict[str, Document]) -> None:
    folder = Path(__file__).resolve().parents[2] / "src" / "ordermill" / "examples"
    for name, file, component in (("brevo", "brevo_batch", "OrderBatch"), ("brevo", "brevo_order", "Order")):
        said = json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
        validator(documents[name], {"$ref": f"#/components/schemas/{component}"}).validate(said)


@pytest.mark.anyio
async def test_documents_are_served_without_a_key(keeper: Client) -> None:
    for name in (*NAMES, ""):
        path = f"/openapi/{name}.json" if name else "/openapi.json"
        answer = await keeper.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        document = answer.json()
        assert document["servers"] == [{"url": "http://ordermill.test"}]
        if not name:
            assert document["info"]["title"] == "Ordermill"
