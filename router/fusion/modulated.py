"""A scene's fusion with shares that follow what shoppers do with the channels' items, within bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.stages import Fusion
from recall.query import Query
from router.fusion.credit import CreditRule
from router.fusion.modulation_settings import ModulationSettings
from router.fusion.segments import SEGMENTS
from state.channel_rates.moves import share_factors
from state.channel_rates.rates import NO_RATES, WHOLE_SCENE, ChannelRates

Float64 = npt.NDArray[np.float64]

FEATURE = "channel_rates"
_MOST_SEGMENTS = 1_000


@dataclass(slots=True)
class _OfVersion:
    """Fusions by segment, made of one version of the rates."""

    rates: ChannelRates
    by_segment: dict[str, Fusion] = field(default_factory=dict)


class ModulatedFusion:
    """Gives each query the fusion of its segment; what is made of a version of the rates is kept with it."""

    def __init__(
        self,
        scene: str,
        channels: tuple[str, ...],
        shares: Float64,
        offset: float,
        settings: ModulationSettings,
        fusion_of: Callable[[Float64], Fusion],
    ) -> None:
        """Moves nothing yet.

        Args:
            scene: its name.
            channels: c names, in the order of the answers that are fused.
            shares: float64[c], as configured.
            offset: of ranks, by which items are credited.
            settings: bounds and caution.
            fusion_of: shares float64[c] → the fusion with these.
        """
        self.channels = channels
        self.shares = shares
        self.settings = settings
        earning = {
            channel: share for channel, share in zip(channels, shares.tolist(), strict=True) if share > 0
        }
        self.credit = CreditRule(earning, offset)
        self._scene = scene
        self._limits = settings.limits()
        self._segment = SEGMENTS[settings.segments]
        self._fusion_of = fusion_of
        self._made = _OfVersion(NO_RATES)

    def segment(self, query: Query) -> str:
        """The segment of a query's shopper; empty where only the whole scene counts."""
        return self._segment(query)

    def factors(self, rates: ChannelRates, segment: str = WHOLE_SCENE) -> Float64:
        """float64[c], what each share is multiplied by in a segment."""
        return share_factors(rates, self._scene, segment, self.channels, self._limits)

    def fusion_for(self, query: Query) -> tuple[Fusion, str]:
        """The fusion of a query, and what its trace says of it."""
        rates: ChannelRates = query.features.get(FEATURE, NO_RATES)
        made = self._made
        if made.rates is not rates:
            made = self._made = _OfVersion(rates)
        segment = self.segment(query)
        if (self._scene, segment) not in rates.groups:
            segment = WHOLE_SCENE
        fusion = made.by_segment.get(segment)
        if fusion is None:
            if len(made.by_segment) >= _MOST_SEGMENTS:
                made.by_segment.clear()
            fusion = self._fusion_of(self.shares * self.factors(rates, segment))
            made.by_segment[segment] = fusion
        return fusion, f"shares by rates {rates.seq}" if rates.groups else ""
