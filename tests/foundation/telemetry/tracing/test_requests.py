"""A real router, a real Triton and a collector: what a request's spans tell, and what they never cost."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from protos.shopfront.v1.recommend_pb2 import RecommendPageRequest, RecommendRequest
from server.ingress.replica_log import LOG_NAME, log_to_file
from testing.running_router import Ingress, in_process
from testing.served_shop import ServedShop, make_shop
from testing.triton_server import tiny_triton
from tests.foundation.telemetry.tracing.collector import Collector, attributes, running_collector
from triton_repo.server import TritonServer

NO_TRITON = "127.0.0.1:1"
USER = "marker-shopper-5c1f"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def traced_shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    return make_shop(tmp_path_factory.mktemp("traced"))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@contextmanager
def router(
    monkeypatch: pytest.MonkeyPatch, shop: ServedShop, triton_url: str, endpoint: str, **variables: str
) -> Iterator[Ingress]:
    """A router whose traces go to `endpoint` (host:port)."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{endpoint}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with in_process(shop.settings(triton_url)) as ingress:
        yield ingress


def recommend(
    ingress: Ingress, *metadata: tuple[str, str], scene: str = "home", timeout: float = 30.0
) -> str:
    """Asks once; the request id of the answer."""
    request = RecommendRequest(scene=scene, user_id=USER, page_size=5)
    response = ingress.recommend.Recommend(request, metadata=metadata, timeout=timeout)
    assert len(response.items) == 5
    return str(response.request_id)


def arrived(collector: Collector, method: str = "Recommend") -> list[Span]:
    """The collector's spans, once those of one server call are among them."""
    deadline = time.monotonic() + 30
    while not [span for span in collector.spans() if span.name.endswith(f"/{method}")]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return collector.spans()


def test_a_request_is_one_tree_below_its_caller(
    monkeypatch: pytest.MonkeyPatch,
    traced_shop: ServedShop,
    triton: TritonServer,
    collector: Collector,
) -> None:
    with router(monkeypatch, traced_shop, triton.grpc_url, collector.address) as ingress:
        request_id = recommend(ingress, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
        spans = arrived(collector)
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    by_name = {span.name: span for span in spans}

    server = by_name["shopfront.v1.RecommendService/Recommend"]
    assert server.parent_span_id.hex() == CALLER
    assert server.kind == Span.SPAN_KIND_SERVER
    told = attributes(server)
    assert told["rpc.system.name"] == "grpc"
    assert told["rpc.method"] == "shopfront.v1.RecommendService/Recommend"
    assert told["rpc.response.status_code"] == "OK"
    assert told["shopfront.request_id"] == request_id
    assert told["shopfront.scenes"] == ["home"]
    assert told["shopfront.degraded"] == []
    assert told["shopfront.models"] == ["bst:1"]

    pipeline = by_name["pipeline home"]
    assert by_id[pipeline.parent_span_id] is server
    for name in ("channel:ranki2i", "channel:mind", "channel:hot", "fusion", "ranking", "rerank:scatter"):
        assert by_id[by_name[name].parent_span_id] is pipeline
    ranked = attributes(by_name["ranking"])
    assert ranked["shopfront.stage.outcome"] == "ok"
    assert ranked["shopfront.stage.candidates_in"] == ranked["shopfront.stage.candidates_out"] > 0

    calls = {
        attributes(span)["shopfront.model"]: span for span in spans if span.kind == Span.SPAN_KIND_CLIENT
    }
    assert {by_id[call.parent_span_id].name for call in calls.values()} <= {"ranking", "channel:mind"}
    bst = calls["bst"]
    assert by_id[bst.parent_span_id].name == "ranking"
    assert bst.name == "inference.GRPCInferenceService/ModelInfer"
    assert attributes(bst)["rpc.response.status_code"] == "OK"
    assert attributes(bst)["server.port"] == int(triton.grpc_url.rpartition(":")[2])

    for span in spans:
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
        if (parent := by_id.get(span.parent_span_id)) is not None:
            # Times inside a request come from two clocks, read some microseconds apart.
            assert span.start_time_unix_nano >= parent.start_time_unix_nano - 10_000_000
            assert span.end_time_unix_nano <= parent.end_time_unix_nano + 10_000_000
    (resource,) = {request.resource_spans[0].resource.SerializeToString() for request in collector.requests}
    assert b"shopfront-router" in resource
    assert not [request for request in collector.requests if USER.encode() in request.SerializeToString()]


def test_scenes_of_a_page_and_failures_have_spans_of_their_own(
    monkeypatch: pytest.MonkeyPatch, traced_shop: ServedShop, collector: Collector
) -> None:
    variables = {"OTEL_SERVICE_NAME": "my-router"}
    with router(monkeypatch, traced_shop, NO_TRITON, collector.address, **variables) as ingress:
        request = RecommendPageRequest(user_id=USER)
        for scene in ("home", "cart"):
            request.scenes.add(scene=scene, page_size=5)
        ingress.recommend.RecommendPage(request, timeout=30)
        spans = arrived(collector, "RecommendPage")
        with pytest.raises(grpc.RpcError) as refused:
            ingress.recommend.Recommend(RecommendRequest(scene="nowhere", user_id=USER), timeout=30)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        spans = arrived(collector)
    by_id = {span.span_id: span for span in spans}
    rankings = [span for span in spans if span.name == "ranking"]
    assert {by_id[span.parent_span_id].name for span in rankings} == {"pipeline home", "pipeline cart"}
    for span in rankings:
        assert span.status.code == Status.STATUS_CODE_ERROR
        assert "not reachable" in span.status.message
        (call,) = [child for child in spans if child.parent_span_id == span.span_id]
        assert attributes(call)["rpc.response.status_code"] == "UNAVAILABLE"
        assert call.status.code == Status.STATUS_CODE_ERROR
    page, one = (
        next(span for span in spans if span.name.endswith(method))
        for method in ("/RecommendPage", "/Recommend")
    )
    assert "ranking" in attributes(page)["shopfront.degraded"]
    assert page.status.code == one.status.code == Status.STATUS_CODE_UNSET
    assert attributes(one)["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert one.trace_id != page.trace_id
    assert not one.parent_span_id
    assert b"my-router" in collector.requests[0].SerializeToString()
    assert not [request for request in collector.requests if USER.encode() in request.SerializeToString()]


def test_the_sampler_decides_and_heeds_the_caller(
    monkeypatch: pytest.MonkeyPatch, traced_shop: ServedShop, collector: Collector
) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    with router(monkeypatch, traced_shop, NO_TRITON, collector.address, **sampler) as ingress:
        recommend(ingress)
        recommend(ingress, ("traceparent", f"00-{'1' * 32}-{CALLER}-00"))
        recommend(ingress, ("traceparent", "no trace at all"))
        recommend(ingress, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
        arrived(collector)
    # Stopping sends what waited, so nothing can come later.
    assert {span.trace_id.hex() for span in collector.spans()} == {TRACE}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gone", "hanging"])
def test_a_dead_collector_fails_no_request(
    monkeypatch: pytest.MonkeyPatch, traced_shop: ServedShop, collector: Collector, kind: str
) -> None:
    endpoint = collector.address
    if kind == "gone":
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    else:
        collector.answering.clear()
    # A queue of a few spans overflows at the first request.
    limits = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4"}
    with router(monkeypatch, traced_shop, NO_TRITON, endpoint, **limits) as ingress:
        for _ in range(20):
            recommend(ingress)
        if kind == "hanging":
            assert collector.asked.wait(30)
            recommend(ingress)
    assert not collector.spans() or kind == "hanging"


class TritonSpans(BaseHTTPRequestHandler):
    """Keeps the spans Triton sends, which are JSON over HTTP."""

    spans: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for resource in body["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                self.spans.extend(scope["spans"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.mark.slow
def test_tritons_spans_hang_below_the_routers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, traced_shop: ServedShop, collector: Collector
) -> None:
    TritonSpans.spans.clear()
    http = ThreadingHTTPServer(("127.0.0.1", 0), TritonSpans)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{http.server_port}/v1/traces"
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    try:
        with tiny_triton(tmp_path, traces_url=url) as server:
            with router(monkeypatch, traced_shop, server.grpc_url, collector.address, **sampler) as ingress:
                recommend(ingress)
                recommend(ingress, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
                ours = {span.span_id.hex(): span for span in arrived(collector)}
            deadline = time.monotonic() + 60
            while not [span for span in TritonSpans.spans if span.get("parentSpanId") in ours]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        http.shutdown()
        http.server_close()
    assert {span["traceId"] for span in TritonSpans.spans} == {TRACE}
    parents = {span["parentSpanId"] for span in TritonSpans.spans} & set(ours)
    assert {ours[parent].name for parent in parents} == {"inference.GRPCInferenceService/ModelInfer"}


def test_logs_of_a_traced_request_name_its_trace(
    monkeypatch: pytest.MonkeyPatch, traced_shop: ServedShop, collector: Collector, tmp_path: Path
) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    settings = traced_shop.settings(NO_TRITON, request_log={"folder": str(tmp_path)})
    log_to_file(settings.request_log)
    try:
        with router(monkeypatch, traced_shop, NO_TRITON, collector.address) as ingress:
            request_id = recommend(ingress, ("traceparent", f"00-{TRACE}-{CALLER}-01"))
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
    lines = [json.loads(line) for line in (tmp_path / LOG_NAME).read_text().splitlines()]
    mine = [line for line in lines if line.get("request_id") == request_id]
    # Triton is gone, so the answer was degraded and is told.
    assert [line["event"] for line in mine if "event" in line] == ["answered"]
    assert {line["trace_id"] for line in mine} == {TRACE}
