"""Draws from Beta distributions that follow from a seed, the key of what is drawn for, and the parameters.

Beta(a, b) is G_a / (G_a + G_b) of two Gamma draws, each by Marsaglia and Tsang's method (ACM TOMS 26(3),
2000), over the same hashed numbers whatever the parameters are: while these change, a draw moves with them,
and jumps only where another proposal comes to be accepted.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
UInt64 = NDArray[np.uint64]

_ROUNDS = 4
"""Proposals of which the first that is accepted counts, and the last where none is; each is accepted with a
probability above .95."""
_GOLDEN = 0x9E37_79B9_7F4A_7C15
_FIRST, _SECOND = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)


def seed_of(text: str) -> int:
    """64 bits of a text (BLAKE2b, RFC 7693)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def uniforms(seed: int, keys: UInt64, count: int) -> Float64:
    """float64[count, n] in (0, 1): independent numbers for each of the keys uint64[n].

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over key, seed and number.
    """
    steps = np.array([(number + 1) * _GOLDEN % 2**64 for number in range(count)], np.uint64)
    mixed = _finalised(keys ^ np.uint64(seed)) + steps[:, None]
    return np.asarray(((_finalised(mixed) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _finalised(bits: UInt64) -> UInt64:
    mixed = (bits ^ (bits >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


def beta_draws(a: Float64, b: Float64, seed: int, keys: UInt64) -> Float64:
    """float64[n] in [0, 1]: one draw from each Beta(a, b); a, b float64[n] above 0, keys uint64[n]."""
    numbers = uniforms(seed, keys, 2 * (2 * _ROUNDS + _ROUNDS + 1))
    half = len(numbers) // 2
    first, second = _gamma(a, numbers[:half]), _gamma(b, numbers[half:])
    # Both may be 0 where both parameters are next to 0.
    return np.asarray(np.maximum(first, 1e-300) / np.maximum(first + second, 1e-300))


def _gamma(shape: Float64, numbers: Float64) -> Float64:
    """float64[n], a draw from each Gamma(shape, 1), of uniform numbers float64[3 · rounds + 1, n]."""
    boosted = np.maximum(shape, 0) + (shape < 1)
    d = boosted - 1 / 3
    radius = np.sqrt(-2 * np.log(numbers[:_ROUNDS]))
    normal = radius * np.cos(2 * np.pi * numbers[_ROUNDS : 2 * _ROUNDS])
    v = (1 + normal / np.sqrt(9 * d)) ** 3
    positive = np.maximum(v, 1e-300)
    accepted = (v > 0) & (
        np.log(numbers[2 * _ROUNDS : 3 * _ROUNDS]) < 0.5 * normal**2 + d * (1 - positive + np.log(positive))
    )
    accepted[-1] = True
    chosen = np.take_along_axis(positive, np.argmax(accepted, axis=0)[None], axis=0)[0]
    return np.asarray(d * chosen * np.where(shape < 1, numbers[-1] ** (1 / np.minimum(shape, 1)), 1.0))
