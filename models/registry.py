"""The models: built-in ones here, a shop's own from the modules named by the setting `plugins`."""

from __future__ import annotations

from models import bst, mind, prerank
from models.kind import ModelKind
from registration.registry import Registry

MODELS: Registry[ModelKind] = Registry(
    "model", "MODELS", {"bst": bst.MODEL, "mind": mind.MODEL, "prerank": prerank.MODEL}
)
