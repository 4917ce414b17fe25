"""`config.pbtxt` of a model, generated from its contract and changed by settings and pins."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triton_repo.acceleration import accelerate
from triton_repo.contract import ROWS, Contract
from triton_repo.settings import ModelSettings
from triton_repo.tensors import DTYPES, Tensor

VERSIONS_SERVED = 2
"""Newest versions that are loaded: routers on the old and on the new snapshot are both answered in a swap."""
WARM_UP_REQUESTS = 3
OPENED = "opened"
"""Parameter of the embedded server: `when_called` has the first call open a graph."""
TENSORRT_INSTANCES = 2
"""While one computes, the other's inputs travel."""


def config_text(contract: Contract) -> str:
    """The text of `config.pbtxt`: served as it is by the embedded server and by NVIDIA's container."""
    return "\n".join(_lines(contract)) + "\n"


def parsed(text: str) -> model_config_pb2.ModelConfig:
    """A configuration read from its text."""
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def with_settings(text: str, settings: ModelSettings) -> str:
    """The configuration of a model that runs by `settings`; unchanged where it says the same."""
    config = parsed(text)
    before = config.SerializeToString(deterministic=True)
    for group in config.instance_group:
        group.count = settings.instances
    if config.backend == "onnxruntime":
        accelerate(config, settings.accelerator)
        config.parameters["intra_op_thread_count"].string_value = str(settings.intra_op_threads)
        if settings.opened == "when_called":
            config.parameters[OPENED].string_value = settings.opened
            # It would be the first call.
            config.ClearField("model_warmup")
    if config.SerializeToString(deterministic=True) == before:
        return text
    return text_format.MessageToString(config)


def with_versions(text: str, versions: tuple[int, ...]) -> str:
    """The configuration with a policy of these versions; unchanged where there are none."""
    if not versions:
        return text
    config = parsed(text)
    config.version_policy.specific.ClearField("versions")
    config.version_policy.specific.versions.extend(versions)
    return text_format.MessageToString(config)


def with_newest(text: str) -> str:
    """The configuration with the usual policy: the newest versions are loaded."""
    config = parsed(text)
    config.version_policy.latest.num_versions = VERSIONS_SERVED
    return text_format.MessageToString(config)


def _lines(contract: Contract) -> Iterator[str]:
    if contract.description:
        yield f"# {contract.description}"
    yield "# Generated from the tensors of the model's registration."
    yield f'name: "{contract.model}"'
    if contract.form == "tensorrt":
        yield 'platform: "tensorrt_plan"'
        yield 'backend: "tensorrt"'
        yield 'default_model_filename: "model.plan"'
    else:
        yield 'backend: "onnxruntime"'
    yield "max_batch_size: 0"
    yield ""
    for side, tensors in (("input", contract.tensors.inputs), ("output", contract.tensors.outputs)):
        yield f"{side} ["
        yield ",\n".join(f"  {{ {_declaration(tensor)} }}" for tensor in tensors)
        yield "]"
    yield ""
    yield "# Two versions, so that routers on the old and on the new snapshot are answered during a swap."
    yield f"version_policy {{ latest {{ num_versions: {VERSIONS_SERVED} }} }}"
    yield ""
    if contract.form == "tensorrt":
        yield "# Two instances on every GPU: while one computes, the other's inputs travel."
        yield f"instance_group [ {{ count: {TENSORRT_INSTANCES} kind: KIND_GPU }} ]"
    else:
        yield "# One instance on every GPU, or on the CPU where there is none."
        yield "instance_group [ { count: 1 kind: KIND_AUTO } ]"
        yield ""
        yield "# Requests run side by side in instances; pools inside them would compete for the cores."
        yield 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }'
        yield 'parameters { key: "inter_op_thread_count" value { string_value: "1" } }'
        if contract.inputs_of_candidates:
            yield ""
            yield "# The embedded server runs the shoppers of a call one after the other, each as alone."
            yield f'parameters {{ key: "rows_input" value {{ string_value: "{ROWS}" }} }}'
            names = ",".join(contract.inputs_of_candidates)
            yield f'parameters {{ key: "inputs_of_candidates" value {{ string_value: "{names}" }} }}'
    yield ""
    yield from _warm_up(contract)


def _declaration(tensor: Tensor) -> str:
    return f'name: "{tensor.name}" data_type: {DTYPES[tensor.dtype].configuration} dims: {_list(tensor.dims)}'


def _warm_up(contract: Contract) -> Iterator[str]:
    sizes = {name: contract.warm_up.get(name, 1) for name in contract.tensors.dimensions()}
    yield "model_warmup ["
    yield "  {"
    yield f'    name: "{", ".join(f"{name} = {size:,}" for name, size in sizes.items()) or "one call"}"'
    yield "    batch_size: 0"
    yield f"    count: {WARM_UP_REQUESTS}"
    for tensor in contract.tensors.inputs:
        dtype, dims = DTYPES[tensor.dtype].configuration, _list(tensor.sized(sizes))
        value = f"data_type: {dtype} dims: {dims} zero_data: true"
        yield f'    inputs {{ key: "{tensor.name}" value {{ {value} }} }}'
    yield "  }"
    yield "]"


def _list(sizes: tuple[int, ...]) -> str:
    return f"[ {', '.join(map(str, sizes))} ]"
