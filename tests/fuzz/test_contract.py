"""Schemathesis checks the served app against its own openapi.json."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.chaos.rig.processes import Rig, open_rig

pytestmark = pytest.mark.process

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture
async def rig(sqlite_url: str) -> AsyncIterator[Rig]:
    async with open_rig(sqlite_url, owners=1) as rig:
        await rig.start("serve")
        yield rig


@pytest.mark.parametrize("mode", GenerationMode)
async def test_every_response_matches_the_openapi_document(
    rig: Rig, mode: GenerationMode, request: pytest.FixtureRequest
) -> None:
    """Every status, header and body is documented, and none is a 5xx."""
    number = request.config.getoption("--requests") // 3  # for each mode and each of the two operations

    answered = await asyncio.to_thread(_check_contract, rig, mode, number)

    assert answered >= number


def _check_contract(rig: Rig, mode: GenerationMode, number: int) -> int:
    """Returns the number of responses. Raises the violations that Schemathesis finds."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{rig.port}/openapi.json")
    headers = {"X-Api-Key": rig.intake_key}
    answered = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=number,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            nonlocal answered
            case.path_parameters = {**(case.path_parameters or {}), "workspace_id": rig.team.id}
            response = case.call(headers=headers)
            case.validate_response(response, checks=CHECKS, headers=headers)
            answered += 1

        check()
    return answered
