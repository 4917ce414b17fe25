"""Sequential: items nearest to one vector of the shopper, by causal attention over the order of the history.

SASRec (Kang and McAuley, ICDM 2018), trained by a softmax over the catalogue: `models.sequential`.
"""

from __future__ import annotations

from pathlib import Path

from recall.channel import BuildSource, ChannelKind, OptionalChannelSettings, Services
from recall.interest_search import InterestFiles, InterestSearch
from recall.vector_index import VectorIndexSettings
from snapshot.catalogue import Catalogue

NAME = "sequential"
MODEL = "sequential"
INPUTS = ("history_item", "history_event")


class SequentialChannelSettings(OptionalChannelSettings, VectorIndexSettings):
    """Items with the largest logits of a network over the shopper's sequence."""


class Sequential(InterestSearch):
    """Items nearest to the vector that the model answers."""

    name = NAME


def build(source: BuildSource, folder: Path, settings: SequentialChannelSettings) -> dict[str, int]:
    """Write the item vectors and their index; see `recall.interest_search`."""
    return InterestFiles.write(source, folder, MODEL, NAME, settings)


def open_channel(
    folder: Path, catalogue: Catalogue, services: Services, settings: SequentialChannelSettings
) -> Sequential:
    """Memory-map the files of `build`. Raises SnapshotError where they are torn or do not fit each other."""
    return Sequential(InterestFiles.open(folder, catalogue, settings), services, MODEL, INPUTS, settings)


CHANNEL = ChannelKind(settings=SequentialChannelSettings, build=build, open=open_channel, models=(MODEL,))
