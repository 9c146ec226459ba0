"""Opening the traces of a process, if the operator runs a collector."""

from __future__ import annotations

from collections.abc import Callable

from services.measures import UNTRACED, Traces
from services.settings import Settings, SettingsError


def open_traces(settings: Settings, now: Callable[[], int]) -> Traces:
    """
    Return the traces of a process. Raises SettingsError if there is a collector and the extra `tracing` is missing.

    OpenTelemetry is imported only here, so that it costs nothing without a collector.
    """
    if not settings.has_collector:
        return UNTRACED
    try:
        from listeners.http.open_telemetry import OpenTelemetryTraces, exporting  # noqa: PLC0415
    except ImportError as error:
        advice = f"needs the packages of requirements-tracing.lock ({error}): install them, or leave it out"
        raise SettingsError([("OTEL_EXPORTER_OTLP_ENDPOINT", advice)]) from error
    return OpenTelemetryTraces(exporting(), now)
