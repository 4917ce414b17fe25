"""The models as Triton and its clients see them, derived from the registry."""

from __future__ import annotations

from models.kind import ModelKind
from models.registry import MODELS
from triton_repo.contract import Contract
from triton_repo.engine_names import ENGINE_SUFFIX


def contract(model: str) -> Contract:
    """The contract of a registered model or of its TensorRT engine; KeyError where there is none."""
    if model in MODELS:
        return contract_of(model, MODELS[model])
    base = model.removesuffix(ENGINE_SUFFIX)
    if base == model or base not in MODELS or not MODELS[base].engine:
        raise KeyError(model)
    kind = MODELS[base]
    return Contract(
        model,
        kind.tensors,
        description=f"The network of {base} as a TensorRT engine, for the kind of GPU it was built for.",
        warm_up=kind.warm_up,
        form="tensorrt",
    )


def contract_of(name: str, kind: ModelKind) -> Contract:
    """The contract of a model's ONNX form."""
    return Contract(name, kind.tensors, description=kind.description, warm_up=kind.warm_up)


def contracts() -> dict[str, Contract]:
    """Every registered model and every engine that can be built, by name."""
    names = [*MODELS, *(f"{name}{ENGINE_SUFFIX}" for name, kind in MODELS.items() if kind.engine)]
    return {name: contract(name) for name in names}


def network_of(model: str) -> str:
    """The registered model whose network a model on Triton runs: `bst` for `bst_trt`, itself otherwise."""
    base = model.removesuffix(ENGINE_SUFFIX)
    return base if model not in MODELS and base in MODELS and MODELS[base].engine else model
