"""Traces of job changes, sent to a stand-in of a collector, and nothing at all without one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status

from listeners.http.traces import open_traces
from services.journal import Journal
from services.measures import UNTRACED
from services.settings import Settings, SettingsError
from tests.conftest import SOMEDAY


@dataclass
class Collector:
    """What was posted to /v1/traces."""

    url: str = ""
    received: list[ResourceSpans] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [span for resource in self.received for scope in resource.scope_spans for span in scope.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.received += ExportTraceServiceRequest.FromString(body).resource_spans
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        yield collector
        server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, str]:
    return {item.key.removeprefix("usergems."): item.value.string_value for item in span.attributes}


async def test_accepting_routing_and_delivering_are_spans_of_one_trace(world, collector, monkeypatch):
    """The id of the job change is that of the trace, the id of the request is in each span, and nothing is personal."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests")
    settings = Settings.from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    traces = open_traces(settings, world.clock)
    journal = Journal(traces=traces)
    router, courier = replace(world.worker.router, journal=journal), replace(world.worker.courier, journal=journal)
    worker, intake = replace(world.worker, router=router, courier=courier), replace(world.intake, journal=journal)
    owner = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=owner)
    sample = {
        "source": "tests",
        "signal": "contact_tracking",
        "change_type": "departure",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "previous": {"company": {"name": "Initech"}},
    }

    received = await intake.receive(world.workspace_id, sample, request_id="request-1")
    world.clock.advance(seconds=2)
    await worker.drain()
    traces.close()

    accept, route, deliver = collector.spans
    assert [span.name for span in collector.spans] == ["accept", "route", "deliver"]
    assert {span.trace_id for span in collector.spans} == {UUID(received.results[0].id).bytes}
    assert accept.parent_span_id == b""
    assert {route.parent_span_id, deliver.parent_span_id} == {accept.span_id}
    assert {attributes(span)["request_id"] for span in collector.spans} == {"request-1"}
    assert (attributes(route)["outcome"], attributes(deliver)["result"]) == ("dri", "delivered")
    assert accept.start_time_unix_nano == SOMEDAY * 1_000_000
    assert route.end_time_unix_nano == (SOMEDAY + 2_000) * 1_000_000
    (resource,) = {
        tuple((item.key, item.value.string_value) for item in sent.resource.attributes) for sent in collector.received
    }
    assert dict(resource).items() >= {"service.name": "usergems-slack", "deployment.environment.name": "tests"}.items()
    assert not any(word in str(collector.received) for word in ("Ada", "Smith", "Dana", "initech"))


async def test_a_failed_delivery_is_an_error(world, collector, monkeypatch):
    """Collectors find such traces by their status."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    traces = open_traces(Settings.from_environ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url}), world.clock)
    job_change_id = "01a22dc7-5246-77b2-9369-4f23d762a78d"

    traces.record("deliver", job_change_id, SOMEDAY, {"result": "failed"}, has_failed=True)
    traces.close()

    assert [span.status.code for span in collector.spans] == [Status.STATUS_CODE_ERROR]


def test_nothing_is_traced_without_a_collector():
    """`tests/project/test_house.py` shows that nothing is imported then."""
    assert open_traces(Settings.from_environ({}), lambda: SOMEDAY) is UNTRACED


def test_a_collector_without_the_extra_is_a_fault_of_the_settings(monkeypatch):
    """The settings are refused at the start, with what to install."""
    monkeypatch.setitem(sys.modules, "listeners.http.open_telemetry", None)

    with pytest.raises(SettingsError, match=r"requirements-tracing\.lock"):
        open_traces(Settings.from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}), lambda: SOMEDAY)
