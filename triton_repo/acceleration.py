"""The block of a model configuration that has ONNX Runtime compute with TensorRT on a GPU."""

from typing import Literal

from tritonclient.grpc import model_config_pb2

TENSORRT_PARAMETERS = {
    "precision_mode": "FP16",
    "max_workspace_size_bytes": str(1 << 30),
    "trt_engine_cache_enable": "true",
    "trt_engine_cache_path": "/tmp/shopfront-tensorrt",
}
"""Parameters that NVIDIA's onnxruntime back end documents; it refuses a model over any other. The cache lies
in the container, so that a restarted server does not build its engines again; mount a folder there to keep
it."""


def accelerate(config: "model_config_pb2.ModelConfig", accelerator: Literal["none", "tensorrt"]) -> None:
    """Puts the accelerator into a configuration, or takes any out, in place.

    Triton reads the block for instances on GPUs alone: the same file serves on a CPU.
    """
    if config.optimization.HasField("execution_accelerators"):
        config.optimization.ClearField("execution_accelerators")
    if accelerator == "none":
        return
    block = config.optimization.execution_accelerators.gpu_execution_accelerator.add()
    block.name = accelerator
    for key, value in TENSORRT_PARAMETERS.items():
        block.parameters[key] = value
