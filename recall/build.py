"""Building every enabled channel's tables into a snapshot's folder, and opening them from one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from recall.channel import BuildSource, Channel, NothingToRecall, Services
from recall.part_build import build_part
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from snapshot.catalogue import Catalogue
from snapshot.durable_files import write_durably

RECALL_FOLDER = "recall"
"""The folder inside a snapshot that holds one folder per channel."""

SWITCHED_OFF = "switched_off.txt"
"""The only file of a channel that had nothing to recall from: the reason."""

Progress = Callable[[str, float], None]
"""(what is being built, share done in 0…1)."""

ChannelRows = dict[str, dict[str, int]]
"""Channel → table → entries; without entries for a channel that is switched off."""


def _silent(stage: str, share: float) -> None:
    """Report nothing."""


def enabled_channels(settings: RecallSettings) -> list[str]:
    """The names of the channels that are switched on, in the registry's order."""
    return [name for name in CHANNELS if getattr(settings, name).enabled]


def build_channels(
    source: BuildSource, folder: Path, settings: RecallSettings, progress: Progress = _silent
) -> ChannelRows:
    """Build every enabled channel into `folder/<channel>/`.

    Args:
        source: the log, catalogue and vectors; nothing after `source.now` is used.
        folder: the snapshot's recall folder; created where absent, its channels' folders must be absent.
        settings: which channels, and how.
        progress: called before each channel and at the end.

    Returns:
        Channel → table → entries; without entries for a channel that is switched off (`switched_off`).

    Raises:
        PartBuildError: a channel lacks what it is built from; the message names it and what to do.
    """
    names = enabled_channels(settings)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for done, name in enumerate(names):
        progress(f"recall: {name}", done / len(names))
        try:
            rows[name] = build_part(
                CHANNELS.owner(name), CHANNELS[name].build, source, folder / name, getattr(settings, name)
            )
        except NothingToRecall as reason:
            _switch_off(folder / name, str(reason))
            rows[name] = {}
    progress("recall", 1.0)
    return rows


def only(settings: RecallSettings, names: Collection[str]) -> RecallSettings:
    """The settings with all channels but these switched off."""
    others = [name for name in CHANNELS if name not in names]
    off = {name: getattr(settings, name).model_copy(update={"enabled": False}) for name in others}
    return settings.model_copy(update=off)


def move_channels(built: Path, folder: Path) -> None:
    """Move the channels' folders of one recall folder into another, which lacks them, of one file system."""
    folder.mkdir(parents=True, exist_ok=True)
    for channel in built.iterdir():
        channel.rename(folder / channel.name)


def _switch_off(folder: Path, reason: str) -> None:
    """Leave nothing in a channel's folder but why it is switched off."""
    shutil.rmtree(folder)
    folder.mkdir()
    write_durably(folder / SWITCHED_OFF, reason.encode())


def switched_off(folder: Path, settings: RecallSettings) -> dict[str, str]:
    """Enabled channels that had nothing to recall from when the recall folder was built, and why."""
    reasons = {name: folder / name / SWITCHED_OFF for name in enabled_channels(settings)}
    return {name: file.read_text() for name, file in reasons.items() if file.is_file()}


def open_channels(
    folder: Path, catalogue: Catalogue, services: Services, settings: RecallSettings
) -> dict[str, Channel]:
    """Open every enabled channel of a snapshot's recall folder, in the registry's order.

    Those that are switched off are left out. Raises SnapshotError where a channel's files are missing, torn
    or do not fit the catalogue.
    """
    off = switched_off(folder, settings)
    return {
        name: CHANNELS[name].open(folder / name, catalogue, services, getattr(settings, name))
        for name in enabled_channels(settings)
        if name not in off
    }
