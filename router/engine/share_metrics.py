"""The metrics of shares that are moved."""

from __future__ import annotations

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from router.engine.engine import Engine
from router.fusion.modulated import ModulatedFusion
from state.channel_rates.rates import ChannelRates


class ShareMetrics:
    """By how much each channel's share is moved in each scene."""

    def __init__(self, metrics: ProcessMetrics) -> None:
        """Declares the metrics."""
        self._factor = metrics.gauge(
            "channel_share_factor",
            "What a recall channel's share is multiplied by, of all shoppers of a scene; the highest of all "
            "processes.",
            "livemax",
            "scene",
            "channel",
        )
        self._version = metrics.gauge(
            "channel_rates_sequence",
            "Sequence number of the last event in the channels' rates that are served; the lowest of all "
            "processes.",
            "livemin",
        )

    def observe(self, engine: Engine, rates: ChannelRates) -> None:
        """Shows what the served scenes make of the rates."""
        self._version.set(rates.seq)
        for scene, pipeline in engine.pipelines.items():
            moved = pipeline.live_fusion
            if isinstance(moved, ModulatedFusion):
                for channel, factor in zip(moved.channels, moved.factors(rates).tolist(), strict=True):
                    self._factor.labels(scene, channel).set(factor)
