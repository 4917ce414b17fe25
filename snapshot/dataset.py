"""Data sets: sealed folders with cleaned events, users and a catalogue. Polars is imported on first use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snapshot.catalogue import CATALOGUE_FOLDER, Catalogue
from snapshot.kept_in_cart import cart_changes
from snapshot.manifest import Kind, Manifest
from snapshot.sealed_folders import SealedFolders

if TYPE_CHECKING:
    import polars as pl

EVENTS_NAME = "events.parquet"
CART_REMOVALS_NAME = "cart_removals.parquet"
USERS_NAME = "users.parquet"
ITEMS_NAME = "items.parquet"
TAGGED_TITLES_NAME = "tagged_titles.parquet"
IMAGE_COLUMN = "image"
"""Column of the items that names or holds their pictures."""
ITEMS_WITH_PICTURES = "items_with_pictures"
"""Count in a data set's manifest: items that name a picture, usable or not."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """An opened data set."""

    path: Path
    manifest: Manifest
    catalogue: Catalogue

    def events(self) -> pl.LazyFrame:
        """Events sorted by user and time.

        Columns: user int32 (1…U), item int32 (1…N), event uint8 (`snapshot.event_codes.HISTORY_CODES`), ts
        int64 (unix seconds), then whatever the shop's data had beside them (scene, position, session_id,
        quantity, price and unknown columns).
        """
        import polars as pl

        return pl.scan_parquet(self.path / EVENTS_NAME)

    def cart_removals(self) -> pl.DataFrame:
        """What shoppers took out of the cart, sorted by user and time; these are none of the events.

        Columns: user int32, item int32, ts int64 (unix seconds), pieces int32 (0 = all). Without rows where
        the data has none, or an earlier version ingested it.
        """
        import polars as pl

        path = self.path / CART_REMOVALS_NAME
        if path.is_file():
            return pl.read_parquet(path)
        return pl.DataFrame(schema={"user": pl.Int32, "item": pl.Int32, "ts": pl.Int64, "pieces": pl.Int32})

    def cart_changes(self, shoppers: Sequence[int] | None = None) -> pl.DataFrame:
        """What was put into carts, by the events, and taken out of them, sorted by user and time.

        shoppers: whose; None = everybody's.

        Columns: user int32, item int32, ts int64 (unix seconds), pieces int32: above 0 put in, below 0 taken
        out, 0 = all taken out. At equal seconds removals come last: the files do not say which was first.
        """
        import polars as pl

        wanted = pl.lit(True) if shoppers is None else pl.col("user").is_in(list(shoppers))
        return cart_changes(self.events().filter(wanted), self.cart_removals().filter(wanted))

    def users(self) -> pl.DataFrame:
        """Users by index.

        Columns: user int32 (row r holds user r + 1), user_id str; gender, age_band, city,
        purchasing_power str (null = unknown) and `<field>_code` int32 for each (0 = unknown), then
        whatever the shop's data had beside them.
        """
        import polars as pl

        return pl.read_parquet(self.path / USERS_NAME)

    def items(self) -> pl.DataFrame:
        """Everything the shop said about its items, in words; the catalogue holds the same in codes.

        Columns: item int32 (row r holds item r + 1), item_id str, then the shop's columns (category, brand,
        title, … and unknown ones), null where unknown.
        """
        import polars as pl

        return pl.read_parquet(self.path / ITEMS_NAME)

    def tagged_titles(self) -> pl.DataFrame | None:
        """Titles that the shop tagged; None where it brought none.

        Columns: tokens list[str], tags list[str] (a tag for each token, `features.title_tags`) and, where the
        shop said which titles a tagger is to be measured on, held_out bool.
        """
        import polars as pl

        path = self.path / TAGGED_TITLES_NAME
        return pl.read_parquet(path) if path.is_file() else None


class DatasetStore(SealedFolders[Dataset]):
    """Data sets under one root, for instance `<workspace>/datasets`."""

    kind: Kind = "dataset"

    def _opened(self, path: Path, manifest: Manifest) -> Dataset:
        return Dataset(path, manifest, Catalogue.open(path / CATALOGUE_FOLDER))
