"""Published click and purchase rates of recall channels, scene by scene: one small file per version.

Of a shopper's clicks of one day in a scene, the part that fell to a channel is compared with the channel's
part of what the shopper was shown, at those slots. Both are summed over shoppers, with exponential decay.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

SUFFIX = ".rates"
SIGNALS = ("clicks", "purchases")
"""What is measured."""
WHOLE_SCENE = ""
"""The segment that is every shopper of a scene."""
_VERSION = 1
_MOST_BYTES = 16 << 20
_MOST_CHANNELS = 64


class RatesError(Exception):
    """A file of rates cannot be used; the message names it and what to do."""


class SignalSums(msgspec.Struct, frozen=True, array_like=True):
    """Of c channels and one signal, each in events, not negative, float64[c] as lists.

    taken     events credited to the channel
    expected  events that it would have, were each shopper's events divided as what the shopper was shown
    variance  of taken - expected: the sum of its square over shoppers and days
    shoppers  days of shoppers who had such an event and were shown something of the channel
    """

    taken: list[float]
    expected: list[float]
    variance: list[float]
    shoppers: list[float]


class GroupRates(msgspec.Struct, frozen=True, array_like=True):
    """The channels of one scene and segment.

    channels    names, c of them
    shown       reported impressions credited to each channel, decayed
    clicks, purchases  sums of these signals
    """

    scene: str
    segment: str
    channels: list[str]
    shown: list[float]
    clicks: SignalSums
    purchases: SignalSums

    def signal(self, name: str) -> SignalSums:
        """One of `SIGNALS`."""
        sums: SignalSums = getattr(self, name)
        return sums


class _File(msgspec.Struct, frozen=True):
    version: int
    seq: int
    groups: list[GroupRates]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelRates:
    """One published version.

    seq     sequence number of the last event of the log that was counted, which is its version; 0: none was
    groups  by scene and segment
    """

    seq: int = 0
    groups: Mapping[tuple[str, str], GroupRates] = field(default_factory=dict)


NO_RATES = ChannelRates()
"""Of a shop without a learner, or where nothing was counted."""


def write_rates(path: Path, rates: ChannelRates) -> None:
    """Puts a version at `path`, whole or not at all; not synced. Raises OSError."""
    content = msgspec.json.encode(_File(_VERSION, rates.seq, list(rates.groups.values())))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)


def read_rates(path: Path) -> ChannelRates:
    """The version at `path`.

    Raises:
        RatesError: it is none, is damaged, or has sums that are no numbers or are negative.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise RatesError(f"{path} has more than {_MOST_BYTES:,} bytes")
    try:
        found = msgspec.json.decode(content, type=_File)
    except msgspec.MsgspecError as error:
        raise RatesError(f"{path} is damaged ({error}); start the learner again") from error
    if found.version != _VERSION:
        raise RatesError(f"{path} is of another version; start the learner of this version")
    for group in found.groups:
        _check(path, group)
    return ChannelRates(found.seq, {(group.scene, group.segment): group for group in found.groups})


def _check(path: Path, group: GroupRates) -> None:
    count = len(group.channels)
    if count > _MOST_CHANNELS or len(set(group.channels)) != count:
        raise RatesError(f"{path} has the channels {group.channels[:_MOST_CHANNELS]} in {group.scene}")
    sums = [getattr(group.signal(name), part) for name in SIGNALS for part in SignalSums.__struct_fields__]
    for values in (group.shown, *sums):
        if len(values) != count or not all(math.isfinite(value) and value >= 0 for value in values):
            raise RatesError(f"{path} has sums in {group.scene} that are no numbers, or too few of them")
