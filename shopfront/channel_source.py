"""What a snapshot's channels and tables are built from."""

from pathlib import Path

from ingest.outfit_file import read_outfits
from recall.build_events import mapped_events
from recall.channel import BuildSource
from recall.outfit_sets import OutfitSets
from snapshot.dataset import Dataset


def channel_source(
    dataset: Dataset, data: Path | None, seed: int, no_pictures: str
) -> tuple[BuildSource, int]:
    """The source, but for what models and pictures give, and the rows of outfits whose items are unknown.

    Args:
        dataset: what is served, all of it.
        data: the shop's folder, in which `outfits` may lie; None where there is none.
        seed: of the tables.
        no_pictures: why no pictures are used, for people.

    Raises:
        IngestError: the file of outfits cannot be read.
    """
    outfits = read_outfits(data, dataset.catalogue)
    source = BuildSource(
        events=mapped_events(dataset.events()),
        users=dataset.users(),
        catalogue=dataset.catalogue,
        tagged_titles=dataset.tagged_titles(),
        now=dataset.manifest.time_range[1],
        vectors={},
        seed=seed,
        no_pictures=no_pictures,
        outfits=None if outfits is None else OutfitSets(outfits.number, outfits.item),
    )
    return source, 0 if outfits is None else outfits.unknown
