"""The intake, described for programs: OpenAPI 3.1 out of the model that reads the job changes."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic_core import to_json

from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType
from services.intake.intake import MOST_IN_ONE_BATCH

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
    "salesforce": {"contact_id": "003000000000001AAA", "lead_id": None, "opportunity_id": None},
    "dri_email": None,
    "links": {"source_url": "https://app.usergems.com/"},
    "custom": {"segment": "Enterprise"},
}


async def show(_request: web.Request) -> web.Response:
    return web.Response(body=_DOCUMENT, content_type="application/json")


def document() -> dict[str, Any]:
    """https://spec.openapis.org/oas/v3.1.0"""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Job changes",
            "version": "1",
            "summary": "Post job changes; each is told once in Slack, to the person who should act on it.",
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
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY_SCHEMES},
        "security": [{"bearer": []}, {"api_key": []}, _SIGNED],
    }


def _schemas() -> dict[str, Any]:
    job_change = JobChange.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = job_change.pop("$defs")
    parts["Person"] |= {"description": "Who changed jobs: a full name, or a first and a last one.", "anyOf": _NAMES}
    whole = {"description": _JOB_CHANGE, "allOf": [{"anyOf": _KEYS}, {"anyOf": _PLACES}], "examples": [EXAMPLE]}
    return parts | {"JobChange": job_change | whole} | _ANSWERS


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _error(description: str, *headers: str) -> dict[str, Any]:
    described = {name: {"schema": {"type": "string"}} for name in headers}
    return _json(description, _ref("Error")) | ({"headers": described} if described else {})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _with(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object in which these are, as described; whatever else is there."""
    return {"properties": properties, "required": list(properties)}


# What the model can say of its fields only together, and says when it reads one: domain/job_change/model.py.
_SOME = {"type": "string", "pattern": r"\S"}
_NAMES = [_with(full_name=_SOME), _with(first_name=_SOME, last_name=_SOME)]
_KEYS = [
    _with(person=_with(emails={"type": "array", "minItems": 1})),
    _with(person=_with(linkedin_url=_SOME)),
    _with(salesforce=_with(contact_id=_SOME)),
    _with(salesforce=_with(lead_id=_SOME)),
]
_KNOWN = {"anyOf": [_with(name=_SOME), _with(domain=_SOME), _with(salesforce_id=_SOME)]}
_PLACES = [
    _with(change_type={"const": ChangeType.DEPARTURE}, previous=_with(company=_KNOWN)),
    _with(change_type={"not": {"const": ChangeType.DEPARTURE}}, current=_with(company=_KNOWN)),
]
_JOB_CHANGE = (
    "A person has a new job. It needs a name and one key of the person (an e-mail address, a LinkedIn URL, or the id of"
    " a contact or lead in Salesforce), and the company that was joined; of a departure the one that was left. Fields"
    " that are not named here are kept under custom."
)

_TEXT = {"type": "string"}
_SENDER = {
    "name": "source",
    "in": "query",
    "description": "Whose rows these are, where they are not in the form below: tamradar, common_room, clay, zapier,"
    " csv, or any name that an admin has mapped in App Home.",
    "schema": {"type": "string", "maxLength": 100},
}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_FAULTS = {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}}

_ANSWERS: dict[str, Any] = {
    "Accepted": _object(id=_TEXT, status={"const": "accepted"}),
    "Duplicate": _object(id=_TEXT, status={"const": "duplicate"}),
    "Refused": _object(status={"const": "refused"}, errors=_FAULTS),
    "Fault": _object(path=_TEXT, message=_TEXT),
    "Error": _object(error=_TEXT, errors=_FAULTS),
    "Results": _object(
        results={"type": "array", "items": {"oneOf": [_ref("Accepted"), _ref("Duplicate"), _ref("Refused")]}}
    ),
    "Batch": _object(
        job_changes={"type": "array", "items": _ref("JobChange"), "minItems": 1, "maxItems": MOST_IN_ONE_BATCH}
    ),
    "State": _object(
        id=_TEXT,
        source=_TEXT,
        state={"enum": ["accepted", "routed", "delivered", "buried", "muted"]},
        outcome={"enum": ["delivered", "buried", "muted", None]},
        told={"enum": ["dri", "channel", None]},
        reason=_TEXT_OR_NULL,
        attempts={"type": "integer"},
        last_error=_TEXT_OR_NULL,
        accepted_at={"type": "string", "format": "date-time"},
        routed_at=_TIME_OR_NULL,
        ended_at=_TIME_OR_NULL,
        decision={"type": ["object", "null"], "description": "Who was considered, in order, and what became of each."},
        deliveries={"type": "array", "items": _ref("Delivery")},
        trace={"type": "array", "items": _ref("Step")},
    ),
    "Delivery": _object(
        destination=_TEXT,
        role={"enum": ["dri", "fallback", "channel", "copy"]},
        reason=_TEXT,
        state=_TEXT,
        attempts={"type": "integer"},
        last_error=_TEXT_OR_NULL,
        message={"anyOf": [_object(channel=_TEXT, ts=_TEXT), {"type": "null"}]},
    ),
    "Step": _object(at={"type": "string", "format": "date-time"}, step=_TEXT, detail=_TEXT),
}

_SIGNED: dict[str, list[str]] = {"webhook_id": [], "webhook_timestamp": [], "webhook_signature": []}
_SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
} | {
    name: {
        "type": "apiKey",
        "in": "header",
        "name": name.replace("_", "-"),
        "description": "One of three headers of https://www.standardwebhooks.com; an empty body is signed for GET.",
    }
    for name in _SIGNED
}

_ERRORS = {
    "400": _error("The body is malformed, or not JSON."),
    "401": _error("Not genuine: no key of this workspace, and no signature made with its secret."),
    "404": _error("There is no such workspace, or no such job change. Told only to the genuine."),
    "405": _error("Another method is understood here.", "Allow"),
    "408": _error("The body took too long."),
    "413": _error("The body is larger than 1 MiB."),
    "415": _error("The Content-Type is not application/json, or there is a Content-Encoding."),
    "429": _error("Too many at once.", "Retry-After"),
    "503": _error("The database is away; nothing was stored.", "Retry-After"),
}

_POST: dict[str, Any] = {
    "operationId": "postJobChanges",
    "summary": "Post one job change, or a batch",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": [_ref("JobChange"), _ref("Batch")]}, "example": EXAMPLE}},
    },
    "responses": {
        "200": _json("It was sent before: the first one's id.", _ref("Duplicate")),
        "202": _json(
            "Stored, and will be told. For a batch one result an item, in order.",
            {"oneOf": [_ref("Accepted"), _ref("Results")]},
        ),
        "422": _error("Refused, with every fault by its path."),
    }
    | _ERRORS,
}

_GET: dict[str, Any] = {
    "operationId": "getJobChange",
    "summary": "What became of a job change",
    "responses": {"200": _json("Its state, its outcome and how it came to that.", _ref("State"))} | _ERRORS,
}

_DOCUMENT = to_json(document())
