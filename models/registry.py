"""The models: built-in ones here, a shop's own from the modules named by the setting `plugins`."""

from __future__ import annotations

from foundation.registry import Registry
from models import bst, mind, prerank
from models.kind import ModelKind

MODELS: Registry[ModelKind] = Registry(
    "model", "MODELS", {"bst": bst.MODEL, "mind": mind.MODEL, "prerank": prerank.MODEL}
)
