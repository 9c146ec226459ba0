"""What /openapi.json says is well-formed, and true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from jsonschema import Draft202012Validator

from listeners import openapi
from services.job_changes import JobChange


@pytest.fixture
async def document() -> dict[str, Any]:
    answer = await openapi.show(make_mocked_request("GET", openapi.PATH))
    assert answer.content_type == "application/json"
    return json.loads(answer.body)


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def refs(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [ref for value in part.values() for ref in refs(value)]
    return [ref for value in part for ref in refs(value)] if isinstance(part, list) else []


def test_every_schema_is_one_and_is_there(document):
    """A generator of clients reads them all."""
    schemas = document["components"]["schemas"]

    for name in schemas:
        validator(document, name)
    assert {ref.removeprefix("#/components/schemas/") for ref in refs(document)} <= schemas.keys()


def test_the_example_is_a_job_change(document):
    """By the schema and by what reads it."""
    example = document["components"]["schemas"]["JobChange"]["examples"][0]

    assert not list(validator(document, "JobChange").iter_errors(example))
    assert JobChange.parse(example).person.name == "Ada Smith"


def test_unknown_fields_are_allowed(document):
    """They are kept under custom."""
    assert not list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"team": "EMEA"}))


def test_what_is_wrong_is_wrong_by_the_schema_too(document):
    """So that it is found before it is sent."""
    assert list(validator(document, "JobChange").iter_errors(openapi.EXAMPLE | {"signal": "rumour"}))
    assert list(validator(document, "Batch").iter_errors({"job_changes": []}))


def test_the_two_routes_and_every_answer(document):
    """Each status that a sender can meet."""
    post = document["paths"]["/v1/workspaces/{workspace_id}/job-changes"]["post"]
    get = document["paths"]["/v1/workspaces/{workspace_id}/job-changes/{id}"]["get"]

    assert post["responses"].keys() >= {"200", "202", "400", "401", "404", "413", "415", "422", "429", "503"}
    assert get["responses"].keys() >= {"200", "401", "404", "429", "503"}
