"""Building every enabled channel's tables into a snapshot's folder, and opening them from one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from foundation.registry import RegistrationError
from recall.channel import BuildSource, Channel, Services
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from recall.vector_index import VectorIndexSettings
from snapshot.catalogue import Catalogue

RECALL_FOLDER = "recall"
"""The folder inside a snapshot that holds one folder per channel."""

Progress = Callable[[str, float], None]
"""(what is being built, share done in 0…1)."""


def _silent(stage: str, share: float) -> None:
    """Report nothing."""


def enabled_channels(settings: RecallSettings) -> list[str]:
    """The names of the channels that are switched on, in the registry's order."""
    return [name for name in CHANNELS if getattr(settings, name).enabled]


def models_of_channels(settings: RecallSettings) -> list[str]:
    """Names of the models that the enabled channels need, each once, in the channels' order."""
    return list(
        dict.fromkeys(model for name in enabled_channels(settings) for model in CHANNELS[name].models)
    )


def check_models(known: Collection[str]) -> None:
    """Checks that every registered channel names models that exist.

    Args:
        known: names of the registered models.

    Raises:
        RegistrationError: a channel needs another; names the channel, its module and the model.
    """
    for name, kind in CHANNELS.items():
        for model in kind.models:
            if model not in known:
                raise RegistrationError(
                    f"the recall channel {name} of {CHANNELS.source(name)} needs the model {model}, which is "
                    f"not registered; registered models are {', '.join(sorted(known)) or 'none'}: register "
                    f"{model} under MODELS, or correct the channel's `models`"
                )


def index_threads(settings: RecallSettings) -> int:
    """Threads of one vector search: the most that an enabled channel with an index sets, at least 1."""
    sections = (getattr(settings, name) for name in enabled_channels(settings))
    return max((each.threads for each in sections if isinstance(each, VectorIndexSettings)), default=1)


def build_channels(
    source: BuildSource, folder: Path, settings: RecallSettings, progress: Progress = _silent
) -> dict[str, dict[str, int]]:
    """Build every enabled channel into `folder/<channel>/`.

    Args:
        source: the log, catalogue and vectors; nothing after `source.now` is used.
        folder: the snapshot's recall folder; created where absent, its channels' folders must be absent.
        settings: which channels, and how.
        progress: called before each channel and at the end.

    Returns:
        Channel → table → entries.

    Raises:
        ValueError: a channel lacks what it is built from; the message names it and what to do.
    """
    names = enabled_channels(settings)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for done, name in enumerate(names):
        progress(f"recall: {name}", done / len(names))
        (folder / name).mkdir()
        rows[name] = CHANNELS[name].build(source, folder / name, getattr(settings, name))
    progress("recall", 1.0)
    return rows


def open_channels(
    folder: Path, catalogue: Catalogue, services: Services, settings: RecallSettings
) -> dict[str, Channel]:
    """Open every enabled channel of a snapshot's recall folder, in the registry's order.

    Raises SnapshotError where a channel's files are missing, torn or do not fit the catalogue.
    """
    return {
        name: CHANNELS[name].open(folder / name, catalogue, services, getattr(settings, name))
        for name in enabled_channels(settings)
    }
