"""Publishes the recall channels' rates."""

from __future__ import annotations

from pathlib import Path

from learning.stream.stream import StreamState
from state.channel_rates.rates import SUFFIX, write_rates


class ChannelRatesPublisher:
    """What of the channels' rates is in a folder."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the learner. Nothing is published yet."""
        self._folder = folder
        self._seq = 0
        self.file = ""
        """Name of the published version's file; "" where there is none."""

    def publish(self, state: StreamState) -> bool:
        """Writes the rates where there are any and events were read since; whether it did. Raises OSError."""
        if state.seq == self._seq:
            return False
        rates = state.channel_rates()
        if not rates.groups:
            return False
        self._seq = state.seq
        self.file = f"channels-{state.seq}{SUFFIX}"
        write_rates(self._folder / self.file, rates)
        return True
