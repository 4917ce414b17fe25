"""MIND: items nearest to each of the shopper's interests (Li et al., CIKM 2019), merged by the best match."""

from __future__ import annotations

from pathlib import Path

from recall.channel import BuildSource, ChannelKind, Services
from recall.interest_search import InterestFiles, InterestSearch
from recall.vector_index import VectorIndexSettings
from snapshot.catalogue import Catalogue

NAME = "mind"
MODEL = "mind"
INPUTS = ("history_item", "history_event", "history_age")


class MindChannelSettings(VectorIndexSettings):
    """Nearest items to each of the shopper's interests."""


class Mind(InterestSearch):
    """Items nearest to any of the interests that the model answers."""

    name = NAME


def build(source: BuildSource, folder: Path, settings: MindChannelSettings) -> dict[str, int]:
    """Write the item vectors and their index; see `recall.interest_search`."""
    return InterestFiles.write(source, folder, MODEL, NAME, settings)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: MindChannelSettings
) -> Mind:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    return Mind(InterestFiles.open(folder, catalogue, settings), services, MODEL, INPUTS, settings)


CHANNEL = ChannelKind(settings=MindChannelSettings, build=build, open=open_channel, models=(MODEL,))
