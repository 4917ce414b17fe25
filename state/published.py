"""The folder in which a learner publishes, and following it: replicas take up what is new.

`live.json` names the files of counters and of what was learned; it is replaced by rename.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from state.channel_rates.rates import NO_RATES, ChannelRates, RatesError, read_rates
from state.live_counters.counter_file import CounterColumns, CounterFileError, open_counters
from state.live_counters.live_counters import NO_COUNTERS, LiveCounters
from state.live_model.satisfaction import NO_SATISFACTION, SatisfactionModel, read_satisfaction
from state.live_model.weights import NO_MODEL, OnlineModel, WeightsError, read_weights

logger = logging.getLogger(__name__)

MANIFEST = "live.json"
_MOST_MANIFEST_BYTES = 1 << 20


class LiveManifest(msgspec.Struct, frozen=True):
    """What is published.

    counters  kind → name of its file
    channel_rates  name of the file of the recall channels' rates; "" where there is none
    model     name of the file of the ranker's last good version; "" where there is none
    satisfaction  name of the file of the model of satisfaction; likewise
    seq       sequence number of the last event of the log that was counted when this was written
    log_s     unix second of that event's arrival
    erasures  number of the last deletion of a shopper of whom nothing is in it
    """

    counters: dict[str, str]
    seq: int = 0
    log_s: int = 0
    erasures: int = 0
    model: str = ""
    satisfaction: str = ""
    channel_rates: str = ""


def write_manifest(folder: Path, manifest: LiveManifest) -> None:
    """Replaces the manifest; not synced, since a learner writes it anew when it starts. Raises OSError."""
    temporary = folder / f".{MANIFEST}.{os.getpid()}"
    temporary.write_bytes(msgspec.json.encode(manifest))
    temporary.replace(folder / MANIFEST)


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """What a learner has published at some moment."""

    counters: LiveCounters = NO_COUNTERS
    model: OnlineModel = NO_MODEL
    satisfaction: SatisfactionModel = NO_SATISFACTION
    channel_rates: ChannelRates = NO_RATES


NOTHING = Published()
"""Of a shop without a learner."""


def read_live_manifest(folder: Path) -> LiveManifest | None:
    """What is published in a folder; None where nothing is.

    Raises:
        CounterFileError: it cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) > _MOST_MANIFEST_BYTES:
        raise CounterFileError(f"{path} has {len(content):,} bytes, of {_MOST_MANIFEST_BYTES:,} at most")
    try:
        return msgspec.json.decode(content, type=LiveManifest)
    except msgspec.MsgspecError as error:
        raise CounterFileError(f"{path} is damaged ({error}); start the learner again") from error


class LiveFolder:
    """What a replica has of the folder; `current` is read once per request."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where a learner of this machine publishes; it need not exist. Opens nothing."""
        self.folder = folder
        self.current: Published = NOTHING
        self._seen: tuple[int, int, int] | None = None
        self._files: dict[str, tuple[str, CounterColumns]] = {}
        self._model = ""
        self._satisfaction = ""
        self._rates = ""
        self._complained = ""

    def look(self) -> bool:
        """Takes up what was published since; True where something was. May block on the disk.

        What cannot be used is logged once, and what was there stays.
        """
        path = self.folder / MANIFEST
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        seen = status.st_ino, status.st_mtime_ns, status.st_size
        if seen == self._seen:
            return False
        try:
            manifest = read_live_manifest(self.folder)
            if manifest is None:
                return False
            files = {
                kind: (name, self._columns(kind, name))
                for kind, name in manifest.counters.items()
                if _is_plain(name)
            }
            model = self.current.model
            if manifest.model != self._model and _is_plain(manifest.model):
                model = read_weights(self.folder / manifest.model)
            satisfaction = self.current.satisfaction
            if manifest.satisfaction != self._satisfaction:
                satisfaction = NO_SATISFACTION
                if _is_plain(manifest.satisfaction):
                    satisfaction = read_satisfaction(self.folder / manifest.satisfaction)
            rates = self.current.channel_rates
            if manifest.channel_rates != self._rates:
                rates = NO_RATES
                if _is_plain(manifest.channel_rates):
                    rates = read_rates(self.folder / manifest.channel_rates)
        except (OSError, CounterFileError, WeightsError, RatesError) as error:
            self._complain(f"what the learner publishes cannot be taken up: {error}")
            return False
        self._seen = seen
        self._complained = ""
        named = {kind: name for kind, (name, _) in files.items()}
        learned = manifest.model, manifest.satisfaction, manifest.channel_rates
        held = {kind: name for kind, (name, _) in self._files.items()}
        if named == held and learned == (self._model, self._satisfaction, self._rates):
            return False
        self._files = files
        self._model, self._satisfaction, self._rates = learned
        counters = LiveCounters({kind: columns for kind, (_, columns) in files.items()})
        self.current = Published(counters, model, satisfaction, rates)
        return True

    def _columns(self, kind: str, name: str) -> CounterColumns:
        known = self._files.get(kind)
        if known is not None and known[0] == name:
            return known[1]
        return open_counters(self.folder / name)

    def _complain(self, text: str) -> None:
        if text != self._complained:
            logger.warning(text)
        self._complained = text


def _is_plain(name: str) -> bool:
    """Whether it names a file of the folder: another would lead out of it."""
    return bool(name) and Path(name).name == name
