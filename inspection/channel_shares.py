"""What the shares of a scene's channels are moved by, and how far."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.plan import Pipeline
from protos.shopfront.v1.admin_pb2 import ChannelShare
from recall.query import Query
from router.fusion.modulated import ModulatedFusion
from state.channel_rates.rates import WHOLE_SCENE, ChannelRates


def channel_shares(scene: str, pipeline: Pipeline[Query], rates: ChannelRates) -> Iterator[ChannelShare]:
    """Every channel of a scene that moves shares, for all its shoppers and then for each segment."""
    moved = pipeline.live_fusion
    if not isinstance(moved, ModulatedFusion):
        return
    limits = moved.settings.limits()
    segments = sorted(segment for of, segment in rates.groups if of == scene and segment)
    for segment in (WHOLE_SCENE, *segments):
        factors = moved.factors(rates, segment).tolist()
        group = rates.groups.get((scene, segment))
        for row, (channel, share) in enumerate(zip(moved.channels, moved.shares.tolist(), strict=True)):
            least, most = limits.of(channel)
            found = ChannelShare(
                channel=channel,
                segment=segment,
                share=share,
                moved_share=share * factors[row],
                least_share=share * least,
                most_share=share * most,
            )
            if group is not None and channel in group.channels:
                at = group.channels.index(channel)
                found.shown = group.shown[at]
                found.clicks, found.expected_clicks = group.clicks.taken[at], group.clicks.expected[at]
                found.purchases = group.purchases.taken[at]
                found.expected_purchases = group.purchases.expected[at]
                found.shoppers = group.clicks.shoppers[at]
            yield found
