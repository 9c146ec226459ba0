"""The OpenAPI 3.1 description of the intake API, generated from the models of job changes and answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType
from listeners.intake.api_view import ANSWERS, EVENTS
from services.intake.intake import MOST_IN_ONE_BATCH
from services.intake.senders import registry

PATH = "/openapi.json"

EXAMPLE: dict[str, Any] = {
    "source": "usergems",
    "source_event_id": "evt_123",
    "signal": "contact_tracking",
    "change_type": "new_company",
    "occurred_on": "2026-11-01",
    "detected_at": "2026-11-20T09:30:00Z",
    "person": {
        "full_name": "Ada Smith",
        "linkedin_url": "https://www.linkedin.com/in/ada",
        "emails": ["ada@globex.com"],
    },
    "previous": {
        "title": "VP Sales",
        "company": {"name": "Initech", "domain": "initech.com", "salesforce_id": "001000000000001AAA"},
    },
    "current": {
        "title": "CRO",
        "company": {"name": "Globex", "domain": "globex.com", "salesforce_id": "001000000000002AAA"},
    },
    "relationship": "Champion",
    "persona": "Economic buyer",
    "score": 87,
    "salesforce": {
        "contact_id": "003000000000001AAA",
        "past_contact_id": None,
        "lead_id": None,
        "opportunity_id": None,
    },
    "dri_email": None,
    "links": {"source_url": "https://app.usergems.com/"},
    "custom": {"segment": "Enterprise"},
}


async def show(_request: web.Request) -> web.Response:
    return web.Response(body=_body(), content_type="application/json")


@cache
def _body() -> bytes:
    return to_json(document())


_REF = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """https://spec.openapis.org/oas/v3.1.0"""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Job changes",
            "version": "1",
            "summary": "Post job changes. The app sends each one in Slack, once, to the person who should act on it.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/v1/workspaces/{workspace_id}/job-changes": {
                "parameters": [_parameter("workspace_id"), _SENDER],
                "post": _POST,
            },
            "/v1/workspaces/{workspace_id}/job-changes/{id}": {
                "parameters": [_parameter("workspace_id"), _parameter("id")],
                "get": _GET,
            },
        },
        "webhooks": {"jobChangeEvent": {"post": _EVENT}},
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY_SCHEMES},
        "security": [{"bearer": []}, {"api_key": []}, _SIGNED],
    }


def _schemas() -> dict[str, Any]:
    job_change = JobChange.model_json_schema(ref_template=_REF)
    parts: dict[str, Any] = job_change.pop("$defs")
    parts["Person"] |= {
        "description": "The person who changed jobs. Requires a full name, or a first name and a last name,"
        " unless the sender knows only an id of its own (`external_id`).",
        "anyOf": _NAMES,
    }
    whole = {"description": _JOB_CHANGE, "allOf": [{"anyOf": _KEYS}, {"anyOf": _PLACES}], "examples": [EXAMPLE]}
    _, definitions = models_json_schema([(model, "serialization") for model in (*ANSWERS, *EVENTS)], ref_template=_REF)
    answers: dict[str, Any] = definitions["$defs"]
    return parts | {"JobChange": job_change | whole, "Batch": _BATCH} | answers


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str, *headers: str) -> dict[str, Any]:
    described = {name: {"schema": {"type": "string"}} for name in headers}
    return _json(description, _ref("Error")) | ({"headers": described} if described else {})


def _with(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of objects with at least these properties."""
    return {"properties": properties, "required": list(properties)}


# Rules about several fields together, which the model checks when it parses: domain/job_change/model.py.
_SOME = {"type": "string", "pattern": r"\S"}
_NAMES = [_with(full_name=_SOME), _with(first_name=_SOME, last_name=_SOME), _with(external_id=_SOME)]
_KEYS = [
    _with(person=_with(emails={"type": "array", "minItems": 1})),
    _with(person=_with(linkedin_url=_SOME)),
    _with(salesforce=_with(contact_id=_SOME)),
    _with(salesforce=_with(lead_id=_SOME)),
    _with(person=_with(external_id=_SOME)),
]
_KNOWN = {"anyOf": [_with(name=_SOME), _with(domain=_SOME), _with(salesforce_id=_SOME)]}
_PLACES = [
    _with(change_type={"const": ChangeType.DEPARTURE}, previous=_with(company=_KNOWN)),
    _with(change_type={"not": {"const": ChangeType.DEPARTURE}}, current=_with(company=_KNOWN)),
]
_JOB_CHANGE = (
    "A person's job change. Requires the person's name, an identifier of the person (an email address, a LinkedIn URL,"
    " the id of a Salesforce contact or lead, or the sender's own id), and the company: the one joined, or for a"
    " departure the one left. Fields that are not listed here are kept under custom."
)

_TEXT = {"type": "string"}
_SENDER = {
    "name": "source",
    "in": "query",
    "description": "The sender of payloads in another format than the one below, or with another proof: "
    + ", ".join(registry.SHIPPED)
    + ", csv, or any name for which an admin has set up a field mapping in the app's Home.",
    "schema": {"type": "string", "maxLength": 100},
}
_BATCH = _with(
    job_changes={"type": "array", "items": _ref("JobChange"), "minItems": 1, "maxItems": MOST_IN_ONE_BATCH}
) | {"type": "object"}

_SIGNED: dict[str, list[str]] = {"webhook_id": [], "webhook_timestamp": [], "webhook_signature": []}
_SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
} | {
    name: {
        "type": "apiKey",
        "in": "header",
        "name": name.replace("_", "-"),
        "description": "One of the three headers of https://www.standardwebhooks.com."
        " For GET, sign the path and query in place of a body.",
    }
    for name in _SIGNED
}

_ERRORS = {
    "400": _error("The body is malformed or not JSON."),
    "401": _error("Not authorized: no valid key of this workspace, and no valid signature."),
    "404": _error("The workspace or the job change does not exist. Only authorized requests get this answer."),
    "405": _error("Method not allowed.", "Allow"),
    "408": _error("The body was not received in time."),
    "413": _error("The body is larger than 1 MiB."),
    "415": _error("The Content-Type is not application/json, or a Content-Encoding is set."),
    "429": _error("Too many job changes at once.", "Retry-After"),
    "503": _error("The database is unavailable. Nothing was stored.", "Retry-After"),
}

_POST: dict[str, Any] = {
    "operationId": "postJobChanges",
    "summary": "Post a job change or a batch",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": [_ref("JobChange"), _ref("Batch")]}, "example": EXAMPLE}},
    },
    "responses": {
        "200": _json(
            "A duplicate, with the id of the first one; or no job change, or a test of the sender.",
            {"oneOf": [_ref("Duplicate"), _ref("Skipped"), _ref("Tested")]},
        ),
        "202": _json(
            "Stored, and will be delivered, unless it is attached to another sender's report of the same move. For a"
            " batch or a payload with several people, one result for each, in order.",
            {"oneOf": [_ref("Accepted"), _ref("Results")]},
        ),
        "422": _error("Not valid. The answer lists every error with its path."),
    }
    | _ERRORS,
}

_GET: dict[str, Any] = {
    "operationId": "getJobChange",
    "summary": "Get the state and history of a job change",
    "responses": {"200": _json("Its state, its outcome and its history.", _ref("State"))} | _ERRORS,
}

_EVENT: dict[str, Any] = {
    "operationId": "receiveEvent",
    "summary": "What happens to job changes, posted to the outgoing webhook of a workspace",
    "description": "At least once, in no order. A repeated event has the same webhook-id.",
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": _TEXT, "description": description}
        for name, description in (
            ("webhook-id", "The same in each attempt."),
            ("webhook-timestamp", "Seconds since 1970, of this attempt."),
            ("webhook-signature", "`v1,` and a signature; several, separated by spaces, while a secret is rotated."),
        )
    ],
    "requestBody": _json(
        "Signed as https://www.standardwebhooks.com describes.", {"oneOf": [_ref("Event"), _ref("TestEvent")]}
    )
    | {"required": True},
    "responses": {
        "2XX": {"description": "Received."},
        "410": {"description": "No more events are wanted. The webhook is switched off."},
        "default": {"description": "Not received. The event is repeated, after Retry-After if there is one."},
    },
    "security": [_SIGNED],
}
