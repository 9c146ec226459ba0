"""Traces for OpenTelemetry. Only `traces.py` imports this module, because its packages are optional."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context

from services.measures import ACCEPT, DELIVER, Attributes, Traces

CLOSE_SECONDS = 3.0
KINDS = {ACCEPT: SpanKind.SERVER, DELIVER: SpanKind.CLIENT}
NANOSECONDS = 1_000_000
PREFIX = "usergems."
_LOWER_HALF = (1 << 64) - 1


def exporting() -> SpanProcessor:
    """Return what sends spans in batches, in a thread of its own, to the collector that the environment names."""
    return BatchSpanProcessor(OTLPSpanExporter())


class OpenTelemetryTraces(Traces):
    """
    Sends spans to `processor`. `now` returns milliseconds.

    The id of a job change, a UUID, is the id of its trace, and its lower half is the id of the span that accepted it.
    So every process knows the trace and the parent of a span, and nothing has to be stored.
    """

    def __init__(self, processor: SpanProcessor, now: Callable[[], int]) -> None:
        named = {SERVICE_NAME: "usergems-slack", **OTELResourceDetector().detect().attributes}
        self._now, self._ids = now, _Ids()
        self._provider = TracerProvider(resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("usergems-slack")

    def record(
        self, step: str, job_change_id: str, began_at: int, attributes: Attributes, *, has_failed: bool = False
    ) -> None:
        trace_id = UUID(job_change_id).int
        self._ids.first = (trace_id, trace_id & _LOWER_HALF) if step == ACCEPT else None
        span = self._tracer.start_span(
            step,
            Context() if step == ACCEPT else self._below_accept(trace_id),
            KINDS.get(step, SpanKind.INTERNAL),
            {f"{PREFIX}{name}": value for name, value in {"job_change": job_change_id, **attributes}.items()},
            start_time=began_at * NANOSECONDS,
        )
        if has_failed:
            span.set_status(StatusCode.ERROR)
        span.end(self._now() * NANOSECONDS)

    def _below_accept(self, trace_id: int) -> Context:
        sampling = self._provider.sampler.should_sample(None, trace_id, ACCEPT)
        is_sampled = sampling.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
        accept = SpanContext(trace_id, trace_id & _LOWER_HALF, is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(accept), Context())

    def close(self) -> None:
        """A collector that does not answer must not hold up the end of the process."""
        closing = Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class _Ids(RandomIdGenerator):
    """Random ids, unless `first` has the ids of a trace and of its first span."""

    first: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.first[0] if self.first else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.first[1] if self.first else super().generate_span_id()
