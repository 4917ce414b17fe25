"""Profile encoding: a shopper's profile fields as vocabulary codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PROFILE_FIELDS = ("gender", "age_band", "city", "purchasing_power")


def encode_profile(profile: Mapping[str, str], vocab: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Encode a profile as one code per profile field.

    Args:
        profile: field → value; absent fields and values outside the vocabulary are unknown.
        vocab: field → values in code order (`Catalogue.profile_vocab`); a value's code is its position + 1.

    Returns:
        int32[4] in the order of `PROFILE_FIELDS`; 0 = unknown.
    """
    codes = np.zeros(len(PROFILE_FIELDS), dtype=np.int32)
    for position, field in enumerate(PROFILE_FIELDS):
        values = vocab.get(field, ())
        value = profile.get(field)
        if value is not None and value in values:
            codes[position] = values.index(value) + 1
    return codes
