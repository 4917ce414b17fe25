"""Which shoppers are in an arm: a salted hash that every replica, restart and Python version agrees on."""

from __future__ import annotations

from hashlib import blake2b

BUCKETS = 10_000
"""Buckets are basis points: one holds a hundredth of a per cent of all shoppers."""


def bucket(salt: str, user_id: str) -> int:
    """The shopper's bucket under `salt`, 0…9,999, uniform over shoppers and independent between salts.

    A 64-bit BLAKE2b (RFC 7693) of both, modulo 10,000; the modulo prefers no bucket by more than 1 in 10^15.
    An anonymous shopper (empty `user_id`) has no bucket of their own: ask before calling.
    """
    # The salt's length goes ahead of it, so that no two pairs of salt and shopper give the same bytes.
    salted = salt.encode()
    text = len(salted).to_bytes(4, "big") + salted + user_id.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") % BUCKETS
