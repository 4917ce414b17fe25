"""What is counted of an exposure plan, and its bytes in a store."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

KEPT_AFTER_END_S = 30 * 86_400
"""Seconds for which a plan's counts are kept after its end."""

_PACKED = struct.Struct(">QQdQ")


@dataclass(frozen=True, slots=True)
class PlanCount:
    """Exposures of a plan.

    shown   items of it that answers contained
    lifted  of these, the ones that a page shows only because of the plan
    lost    sum of the scores that pages lost by the plan's pace and guarantee
    """

    shown: int = 0
    lifted: int = 0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class PlanWindow:
    """What counting needs of a plan.

    ends_at  unix second at which it ends
    slack    exposures under its cap that a replica may show before the others know of them; 0 = no cap
    """

    ends_at: int
    slack: int


def plan_key(plan: str) -> bytes:
    """16 bytes that stand for a plan's id."""
    return blake2b(plan.encode(), digest_size=16).digest()


def encode_count(count: PlanCount, forget_at: int) -> bytes:
    """The bytes of a replica's count, which may be deleted from unix second `forget_at` on."""
    return _PACKED.pack(count.shown, count.lifted, count.lost, forget_at)


def decode_count(value: bytes) -> tuple[PlanCount, int]:
    """What `encode_count` was given. Raises struct.error where the bytes are none of it."""
    shown, lifted, lost, forget_at = _PACKED.unpack(value)
    return PlanCount(shown, lifted, lost), forget_at


def total_of(values: Iterable[bytes]) -> PlanCount:
    """The sum over replicas; a value that cannot be read raises struct.error."""
    counts = [decode_count(value)[0] for value in values]
    return PlanCount(
        sum(count.shown for count in counts),
        sum(count.lifted for count in counts),
        sum(count.lost for count in counts),
    )
