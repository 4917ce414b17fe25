"""Query features as a plug-in registers them, for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from router.query_features.kind import QueryFeatureKind
from router.query_features.registry import QUERY_FEATURES

SOURCE = "shop_plugin"


@contextmanager
def registered(**kinds: QueryFeatureKind[Any]) -> Iterator[None]:
    """Registers these features, of the module `shop_plugin`, while the block runs."""
    try:
        for name, kind in kinds.items():
            QUERY_FEATURES.add(name, kind, SOURCE)
        yield
    finally:
        QUERY_FEATURES.remove(SOURCE)
