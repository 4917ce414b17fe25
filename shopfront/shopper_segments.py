"""The segments of shoppers: what their profiles say in the fields that the features know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.profile import PROFILE_FIELDS
from state.store import StateStore

_STEP = 500


async def segments_of(store: StateStore, shoppers: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Shopper → field of the profile → value. Raises StorageError where the store cannot be read."""
    found: dict[str, Mapping[str, str]] = {}
    for start in range(0, len(shoppers), _STEP):
        step = shoppers[start : start + _STEP]
        for shopper, state in zip(step, await store.read_many(step), strict=True):
            found[shopper] = {
                field: state.profile[field] for field in PROFILE_FIELDS if state.profile.get(field)
            }
    return found
