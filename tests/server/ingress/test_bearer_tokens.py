"""Only callers with an accepted token get in, where any is asked for; tokens rotate without a restart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.shopfront.v1.recommend_pb2 import RecommendRequest, RecommendResponse
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from router.service.serving_state import ServingState
from server.composition.inspection import why_inspection_refused
from server.ingress.bearer_tokens import BearerTokens, TokenError
from server.ingress.own_grpc import serve_in_process
from server.ingress_settings import IngressSettings, TokenSettings
from server.settings import RouterSettings

OLD, NEW = "old-token-0123456789", "new-token-0123456789"


def bearing(token: str, scheme: str = "Bearer") -> tuple[tuple[str, str], ...]:
    return (("authorization", f"{scheme} {token}"),)


class Echo:
    """Stands in for `CallHandler`."""

    def __init__(self) -> None:
        self.serving_state = lambda: ServingState(True)

    async def handle(self, method: str, request: Any, *more: Any) -> Message:
        return RecommendResponse(scene=request.scene)


def test_a_file_of_tokens_is_followed(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "tokens"
    path.write_text(f"# of the shop's backends\n{OLD}\n\n{NEW}\n")
    tokens = BearerTokens(TokenSettings(file=path), clock=lambda: now[0])
    assert tokens.accepts(bearing(OLD))
    assert tokens.accepts(bearing(NEW, "bearer"))
    for wrong in ((), None, bearing("# of the shop's backends"), bearing(OLD, "Basic"), bearing(OLD[:-1])):
        assert not tokens.accepts(wrong)
    path.write_text(f"{NEW}\n")
    os.utime(path, ns=(1, 1))
    assert tokens.accepts(bearing(OLD))
    now[0] += 1.0
    assert not tokens.accepts(bearing(OLD))
    path.unlink()
    now[0] += 1.0
    assert tokens.accepts(bearing(NEW))


def test_an_environment_variable_holds_several() -> None:
    settings = TokenSettings(environment="SHOPFRONT_TOKENS")
    tokens = BearerTokens(settings, {"SHOPFRONT_TOKENS": f" {OLD} ,{NEW},"})
    assert tokens.accepts(bearing(OLD))
    assert tokens.accepts(bearing(NEW))
    assert not tokens.accepts(bearing(""))


def test_sources_without_a_good_token_are_named_and_no_token_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=r"tokens.file .*missing cannot be read"):
        BearerTokens(TokenSettings(file=tmp_path / "missing"))
    path = tmp_path / "tokens"
    path.write_text("# none yet\n")
    with pytest.raises(TokenError, match="holds no token"):
        BearerTokens(TokenSettings(file=path))
    with pytest.raises(TokenError, match="variable NOT_SET holds no token"):
        BearerTokens(TokenSettings(environment="NOT_SET"), {})
    path.write_text("hunter2\n")
    with pytest.raises(TokenError, match="fewer than 16 bytes") as short:
        BearerTokens(TokenSettings(file=path))
    assert "hunter2" not in str(short.value)


def test_none_is_needed_where_none_is_set() -> None:
    assert not BearerTokens(TokenSettings()).needed_for("/shopfront.v1.RecommendService/Recommend")


@pytest.mark.parametrize("strict", [False, True])
async def test_the_server_asks_for_tokens(strict: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENS_OF_TEST", OLD)
    settings = TokenSettings(
        environment="TOKENS_OF_TEST", health_needs_one=strict, reflection_needs_one=strict
    )
    server = await serve_in_process(Echo(), tokens=settings)  # type: ignore[arg-type]
    async with grpc.aio.insecure_channel(server.address) as channel:
        recommend = RecommendServiceStub(channel).Recommend
        request = RecommendRequest(scene="home")
        assert (await recommend(request, metadata=bearing(OLD), timeout=10)).scene == "home"
        for metadata in ((), bearing(NEW)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await recommend(request, metadata=metadata, timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "authorization: Bearer" in (refused.value.details() or "")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/no.such.Service/Method")(b"", timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        health = health_pb2_grpc.HealthStub(channel)
        look = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        if strict:
            for call in (health.Check(health_pb2.HealthCheckRequest()), look(asked).read()):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        else:
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1
            assert (await look(asked).read()).list_services_response.service
    await server.stop(0)


@pytest.mark.parametrize("address", ["0.0.0.0:9000", "[::]:9000", "10.1.2.3:9000", "router.internal:9000"])
def test_listening_beyond_the_machine_must_be_meant(address: str) -> None:
    with pytest.raises(ValueError, match="exposed: true"):
        IngressSettings(address=address)
    assert IngressSettings(address=address, exposed=True).address == address


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:9000", "[::1]:9000", "127.8.8.8:1"])
def test_the_loopback_needs_no_word(address: str) -> None:
    assert IngressSettings(address=address).address == address


def test_tls_behind_haproxy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind: grpc"):
        IngressSettings.model_validate(
            {"kind": "haproxy", "tls": {"certificate": str(tmp_path / "c"), "key": str(tmp_path / "k")}}
        )


def test_only_operators_reach_the_methods_that_are_for_them(tmp_path: Path) -> None:
    path = tmp_path / "operators"
    path.write_text(NEW)
    settings = TokenSettings(environment="CALLERS", operators_file=path)
    tokens = BearerTokens(settings, {"CALLERS": OLD})
    page, start = "/shopfront.v1.RecommendService/Recommend", "/shopfront.v1.RolloutService/StartRollout"
    explain = "/shopfront.v1.AdminService/ExplainPage"
    assert tokens.accepts(bearing(OLD))
    assert tokens.accepts(bearing(NEW))
    assert not tokens.forbids(page, bearing(OLD))
    for method in (start, explain):
        assert tokens.needed_for(method)
        assert tokens.forbids(method, bearing(OLD))
        assert tokens.forbids(method, ())
        assert not tokens.forbids(method, bearing(NEW))


def test_operators_tokens_alone_leave_the_other_methods_open(tmp_path: Path) -> None:
    path = tmp_path / "operators"
    path.write_text(NEW)
    tokens = BearerTokens(TokenSettings(operators_file=path))
    assert tokens.needed
    assert not tokens.needed_for("/shopfront.v1.RecommendService/Recommend")
    assert not tokens.needed_for("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    assert tokens.needed_for("/shopfront.v1.AdminService/ExplainPage")
    with pytest.raises(TokenError, match=r"operators_file .*missing cannot be read"):
        BearerTokens(TokenSettings(operators_file=tmp_path / "missing"))


async def test_a_caller_that_is_no_operator_is_denied(tmp_path: Path) -> None:
    path = tmp_path / "operators"
    path.write_text(NEW)
    server = await serve_in_process(Echo(), tokens=TokenSettings(operators_file=path))  # type: ignore[arg-type]
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            look = channel.unary_unary(
                "/shopfront.v1.AdminService/InspectVersions",
                request_serializer=lambda message: message,
                response_deserializer=lambda message: message,
            )
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await look(b"", metadata=bearing(OLD))
            assert unknown.value.code() is grpc.StatusCode.UNAUTHENTICATED
            answer = await RecommendServiceStub(channel).Recommend(RecommendRequest(scene="home"))
            assert answer.scene == "home"
    finally:
        await server.stop(0)


def test_nobody_looks_at_shoppers_at_an_open_address_without_operators_tokens(tmp_path: Path) -> None:
    def refused(**ingress: Any) -> str:
        settings = {"ingress": {"kind": "grpc", **ingress}, "inspection": {}}
        return why_inspection_refused(RouterSettings.model_validate(settings))

    assert refused() == ""
    open_address = {"address": "0.0.0.0:9000", "exposed": True}
    assert "operators' tokens" in refused(**open_address)
    assert refused(**open_address, tokens={"operators_file": str(tmp_path / "tokens")}) == ""
    off = RouterSettings.model_validate({"inspection": {"enabled": False}})
    assert "inspection.enabled" in why_inspection_refused(off)
