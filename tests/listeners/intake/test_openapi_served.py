"""The served intake held against its own openapi.json by Schemathesis; tests/fuzz does so at length."""

from __future__ import annotations

import asyncio

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.listeners.intake.test_api import door  # noqa: F401 - a fixture

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
EXAMPLES = 25


@pytest.mark.parametrize("mode", GenerationMode)
async def test_every_answer_is_as_described(door, mode):  # noqa: F811
    """Status, headers and body, to what the description allows and to what it forbids; without a key always 401."""
    url = str(door.client.make_url("/openapi.json"))

    assert await asyncio.to_thread(hold, url, door.key, mode) >= EXAMPLES


def hold(url: str, key: str, mode: GenerationMode) -> int:
    """How many requests were answered as described. Raises what Schemathesis finds."""
    answered = 0
    headers = {"X-Api-Key": key}
    for found in schemathesis.openapi.from_url(url).get_all_operations():

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=found.ok().as_strategy(generation_mode=mode))
        def answer(case: schemathesis.Case) -> None:
            nonlocal answered
            case.path_parameters = {**(case.path_parameters or {}), "workspace_id": "T1"}
            stranger = case.call()
            case.validate_response(stranger, checks=CHECKS)
            assert stranger.status_code == 401
            case.validate_response(case.call(headers=headers), checks=CHECKS, headers=headers)
            answered += 1

        answer()
    return answered
