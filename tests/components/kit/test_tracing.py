"""What a component knows of its caller's trace."""

import pytest

from components.kit.tracing import Untraced, open_tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("traceparent", "ids"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", {"trace_id": TRACE}),
        ("", {}),
        ("00-nothing-of-the-kind-01", {}),
        (f"00-{TRACE}-00f067aa0ba902b7-01\n", {}),
    ],
)
def test_the_callers_trace_is_taken_from_its_metadata(
    traceparent: str, ids: dict[str, str]
) -> None:
    with Untraced().call("service", "operation", {"traceparent": traceparent}) as trace:
        assert trace.ids == ids


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_the_environment_asks_for_it(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert isinstance(open_tracing("sums"), Untraced)
