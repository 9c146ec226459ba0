"""Schemathesis checks the served API against its own openapi.json. tests/fuzz does so at length."""

from __future__ import annotations

import asyncio

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.listeners.intake.test_api import intake_api  # noqa: F401 - a fixture

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
EXAMPLES = 25


@pytest.mark.parametrize("mode", GenerationMode)
async def test_every_answer_matches_the_description(intake_api, mode):  # noqa: F811
    """Status, headers and body match for valid and invalid requests; without a key the status is always 401."""
    url = str(intake_api.client.make_url("/openapi.json"))

    assert await asyncio.to_thread(check_answers, url, intake_api.key, mode) >= EXAMPLES


def check_answers(url: str, key: str, mode: GenerationMode) -> int:
    """Return how many requests were answered as described. Raises what Schemathesis finds."""
    answered = 0
    headers = {"X-Api-Key": key}
    for operation in schemathesis.openapi.from_url(url).get_all_operations():

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.ok().as_strategy(generation_mode=mode))
        def answer(case: schemathesis.Case) -> None:
            nonlocal answered
            case.path_parameters = {**(case.path_parameters or {}), "workspace_id": "T1"}
            unauthorized = case.call()
            case.validate_response(unauthorized, checks=CHECKS)
            assert unauthorized.status_code == 401
            case.validate_response(case.call(headers=headers), checks=CHECKS, headers=headers)
            answered += 1

        answer()
    return answered
