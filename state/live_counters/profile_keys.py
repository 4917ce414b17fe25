"""Keys of what serving knows of a shopper, from the codes of the profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.profile import PROFILE_FIELDS
from state.live_counters.keys import combined, text_keys

UInt64 = NDArray[np.uint64]
_GENDER, _AGE, _CITY = (PROFILE_FIELDS.index(name) for name in ("gender", "age_band", "city"))


@dataclass(frozen=True, slots=True)
class ProfileKeys:
    """Keys of the values of a vocabulary, which stay the same from snapshot to snapshot.

    values  of each profile field uint64[codes + 2], 0 for the code 0 and behind the last one
    """

    values: tuple[UInt64, ...]

    @classmethod
    def of(cls, vocabulary: Mapping[str, Sequence[str]]) -> ProfileKeys:
        """Those of `Catalogue.profile_vocab`."""
        return cls(tuple(text_keys(("", *vocabulary.get(name, ()), "")) for name in PROFILE_FIELDS))

    def regions(self, codes: NDArray[np.int32]) -> UInt64:
        """uint64[n] of profile codes int32[n, 4]: the city; 0 where it is unknown."""
        return self._keys(_CITY, codes)

    def crowds(self, codes: NDArray[np.int32]) -> UInt64:
        """uint64[n] of profile codes int32[n, 4]: gender and age band; 0 where one is unknown."""
        genders, ages = self._keys(_GENDER, codes), self._keys(_AGE, codes)
        return np.where((genders != 0) & (ages != 0), combined(genders, ages), np.uint64(0))

    def _keys(self, field: int, codes: NDArray[np.int32]) -> UInt64:
        # Codes of no value are cut to one of the ends.
        return self.values[field].take(codes[:, field], mode="clip")
