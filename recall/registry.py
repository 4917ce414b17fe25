"""The one place that knows which recall channels there are: a new one is its file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recall import again, category_hot, hot, mind, ranki2i
from recall.channel import BuildSource, Channel, Services
from snapshot.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """How a channel is built and opened. Its settings are `RecallSettings`' field of the same name."""

    build: Callable[[BuildSource, Path, Any], dict[str, int]]
    """Write the tables into an existing folder; returns how many entries each holds."""
    open: Callable[[Path, Catalogue, Services, Any], Channel]
    """Open the tables; raises SnapshotError where they are torn or do not fit."""
    models: tuple[str, ...] = ()
    """Models of `models.registry` that the channel calls, or whose item vectors it is built from."""


CHANNELS: dict[str, ChannelKind] = {
    ranki2i.NAME: ChannelKind(ranki2i.build, ranki2i.open_channel),
    mind.NAME: ChannelKind(mind.build, mind.open_channel, models=(mind.MODEL,)),
    category_hot.NAME: ChannelKind(category_hot.build, category_hot.open_channel),
    again.NAME: ChannelKind(again.build, again.open_channel),
    hot.NAME: ChannelKind(hot.build, hot.open_channel),
}
