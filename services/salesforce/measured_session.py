"""How long Salesforce takes: every call that simple-salesforce makes is measured."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import requests

from services.measures import Measures


class MeasuredSession(requests.Session):
    """For simple-salesforce."""

    def __init__(self, measures: Measures) -> None:
        super().__init__()
        self._measures = measures

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        began, status = time.perf_counter(), None
        try:
            response = super().send(request, **kwargs)
            status = response.status_code
        finally:
            seconds = time.perf_counter() - began
            self._measures.called("salesforce", _resource(urlsplit(request.url or "").path), status, seconds)
        return response


def _resource(path: str) -> str:
    """`query` of `/services/data/v66.0/query/01g…`: ids would make a series each."""
    return "".join(path.split("/")[4:5])
