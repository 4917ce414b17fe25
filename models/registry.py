"""The models: built-in ones here, a shop's own from the modules named by the setting `plugins`."""

from __future__ import annotations

from collections.abc import Mapping

from models import bst, forest, mind, picture_encoder, prerank, rank_net, sequential
from models.kind import ModelKind
from registration.registry import Registry
from triton_repo.engine_names import ENGINE_SUFFIX


def _fault(name: str, kind: ModelKind, kinds: Mapping[str, ModelKind]) -> str | None:
    if name.endswith(ENGINE_SUFFIX):
        return f"ends with {ENGINE_SUFFIX}, as the TensorRT engines of models do; choose another name"
    return None


MODELS: Registry[ModelKind] = Registry(
    "model",
    "MODELS",
    {
        "bst": bst.MODEL,
        "mind": mind.MODEL,
        "sequential": sequential.MODEL,
        "prerank": prerank.MODEL,
        "forest": forest.MODEL,
        "rank_net": rank_net.MODEL,
        picture_encoder.NAME: picture_encoder.MODEL,
    },
    _fault,
    kind=ModelKind,
)
