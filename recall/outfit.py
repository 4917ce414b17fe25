"""Outfit: items of other categories that go with the first trigger, the best of every category first."""

from __future__ import annotations

from pathlib import Path

from recall.channel import BuildSource, ChannelKind, Services
from recall.lists import ItemLists
from recall.outfit_settings import OutfitSettings
from recall.outfit_slots import NETWORK, Evidence, Outfit
from recall.vector_index import open_vectors
from snapshot.catalogue import Catalogue
from snapshot.manifest import SnapshotError

NAME = Outfit.name


def build(source: BuildSource, folder: Path, settings: OutfitSettings) -> dict[str, int]:
    """Write the channel's tables into `folder`; NothingToRecall where nothing goes together."""
    from recall.outfit_build import build_tables

    return build_tables(source, folder, settings)


def open_channel(folder: Path, catalogue: Catalogue, services: Services, settings: OutfitSettings) -> Outfit:
    """Memory-map the tables of `build`. Raises SnapshotError where they are torn or do not fit."""
    codes = catalogue.code_count("category") + 1
    slots = ItemLists.open(folder, "slots", codes)
    best_sold = ItemLists.open(folder, "best_sold", codes)
    found: dict[Evidence, ItemLists] = {
        "sets": ItemLists.open(folder, "of_sets", catalogue.size + 1),
        "baskets": ItemLists.open(folder, "of_baskets", catalogue.size + 1),
    }
    if len(slots.items) and slots.items.max() >= codes:
        raise SnapshotError(folder, "slots_items.npy", "names unknown categories", "build the snapshot again")
    for lists in (best_sold, *found.values()):
        if len(lists.items) and lists.items.max() > catalogue.size:
            raise SnapshotError(folder, "items.npy", "names unknown items", "build the snapshot again")
    # A build without enough sets writes none.
    has_network = (folder / f"{NETWORK}.npy").exists()
    network = open_vectors(folder, NETWORK, catalogue.size + 1) if has_network else None
    return Outfit(slots, found, best_sold, catalogue, settings, network)


CHANNEL = ChannelKind(settings=OutfitSettings, build=build, open=open_channel, optional=True, waits=False)
