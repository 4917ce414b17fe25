"""The recall channels: a new one is its file and a line here, or a plug-in."""

from __future__ import annotations

from recall import again, bought_together, category_hot, context, hot, mind, ranki2i
from recall.channel import ChannelKind
from registration.registry import Registry

CHANNELS: Registry[ChannelKind] = Registry(
    "recall channel",
    "CHANNELS",
    {
        ranki2i.NAME: ranki2i.CHANNEL,
        bought_together.NAME: bought_together.CHANNEL,
        mind.NAME: mind.CHANNEL,
        category_hot.NAME: category_hot.CHANNEL,
        again.NAME: again.CHANNEL,
        context.NAME: context.CHANNEL,
        hot.NAME: hot.CHANNEL,
    },
    kind=ChannelKind,
)
