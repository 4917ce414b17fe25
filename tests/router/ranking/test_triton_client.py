"""Arrays of every type cross to Triton and back; answers of another type are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2, service_pb2_grpc

from pipeline.stages import DependencyError
from router.ranking.settings import TritonClientSettings
from router.ranking.triton_client import TritonClient, _length_prefixed, _words
from triton_repo.contract import Contract
from triton_repo.tensors import DTYPES, Tensor, Tensors

ECHO = Contract(
    "echo",
    Tensors(
        tuple(Tensor(f"in_{dtype}", dtype, ("B", 2)) for dtype in DTYPES),  # type: ignore[arg-type]
        tuple(Tensor(f"out_{dtype}", dtype, ("B", 2)) for dtype in DTYPES),  # type: ignore[arg-type]
    ),
)


class Echo(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers every input under the name of an output, in the opposite order."""

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1")
        for tensor, raw in reversed(list(zip(request.inputs, request.raw_input_contents, strict=True))):
            name = tensor.name.replace("in_", "out_")
            response.outputs.add(name=name, datatype=tensor.datatype, shape=tensor.shape)
            response.raw_output_contents.append(raw)
        return response


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[Contract], TritonClient]]:
    """Makes clients of a server that answers what it receives."""
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Echo(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = []

    def make(contract: Contract) -> TritonClient:
        settings = TritonClientSettings(url=f"127.0.0.1:{port}")
        made.append(TritonClient(settings, models={contract.model: contract}))
        return made[-1]

    yield make
    for client in made:
        await client.close()
    await server.stop(None)


async def test_every_type_comes_back_as_it_was_sent(client_of: Callable[[Contract], TritonClient]) -> None:
    sent = {
        dtype: np.array([[b"", b"a\x00"], ["ü".encode(), b"\xff"]], object)
        if dtype == "bytes"
        else np.array([[0, 1], [1, 0]], names.numpy)
        for dtype, names in DTYPES.items()
    }
    answer = await client_of(ECHO).infer(
        "echo",
        "1",
        {f"in_{dtype}": values for dtype, values in sent.items()},
        [f"out_{dtype}" for dtype in DTYPES],
        5.0,
    )
    for dtype, values in sent.items():
        found = answer[f"out_{dtype}"]
        assert (found.dtype, found.shape) == (values.dtype, (2, 2))
        assert found.flags.writeable
        np.testing.assert_array_equal(found, values)


async def test_only_the_wanted_outputs_come_back_and_text_may_be_str(
    client_of: Callable[[Contract], TritonClient],
) -> None:
    inputs = {"in_bytes": np.array([["ü", "x"]], object), "in_int64": np.ones((1, 2), np.int64)}
    answer = await client_of(ECHO).infer("echo", "1", inputs, ("out_bytes",), 5.0)
    assert list(answer) == ["out_bytes"]
    assert answer["out_bytes"].tolist() == [["ü".encode(), b"x"]]


async def test_what_differs_from_the_declared_tensors_is_named(
    client_of: Callable[[Contract], TritonClient],
) -> None:
    other = Contract("echo", Tensors(ECHO.tensors.inputs, (Tensor("out_int64", "float32", ("B", 2)),)))
    inputs = {"in_int64": np.ones((1, 2), np.int64)}
    with pytest.raises(
        DependencyError, match=r"answered out_int64 as INT64\[1, 2\], float32\[B, 2\] was expected; export"
    ):
        await client_of(other).infer("echo", "1", inputs, ("out_int64",), 5.0)
    with pytest.raises(TypeError, match=r"in_int64 of echo is int32\[1, 2\], .* declares int64\[B, 2\]"):
        await client_of(ECHO).infer("echo", "1", {"in_int64": np.ones((1, 2), np.int32)}, (), 5.0)
    with pytest.raises(TypeError, match="echo takes no input ghost"):
        await client_of(ECHO).infer("echo", "1", {"ghost": np.ones(1, np.int32)}, (), 5.0)


@given(st.lists(st.binary()))
def test_words_survive_their_encoding(words: list[bytes]) -> None:
    array = np.empty(len(words), object)
    array[:] = words
    assert _words(_length_prefixed(array)).tolist() == words
