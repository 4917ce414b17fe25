"""How a scene inherits: JSON Merge Patch (RFC 7396)."""

from __future__ import annotations

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` changed by `patch`: mappings merge key by key, null removes a key, all else replaces.

    Neither argument is changed. A new key comes after the target's.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def idle_removals(target: Any, patch: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths at which `patch` has null although `target` has nothing there to remove."""
    if not isinstance(patch, dict):
        return []
    known = target if isinstance(target, dict) else {}
    found: list[tuple[str, ...]] = []
    for key, value in patch.items():
        if value is None and key not in known:
            found.append((*path, key))
        else:
            found += idle_removals(known.get(key), value, (*path, key))
    return found
