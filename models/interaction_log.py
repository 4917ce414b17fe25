"""The event log as flat columns by user, and the numbers counted from it before a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from features.profile import PROFILE_FIELDS
from snapshot.dataset import Dataset
from snapshot.event_codes import IMPRESSION
from snapshot.log_parts import parts_by_shopper
from snapshot.partition_work import IN_THIS_PROCESS, Columns, PartitionWork, joined

_TIME_SPAN = 2**34


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Events sorted by user and time.

    user, item: int32[e]; event: uint8[e]; ts: int64[e]; offsets: int64[U+2], the events of user u are
    offsets[u]…offsets[u+1] (user 0 has none); keys: int64[e], user and time as one ascending number; weight:
    float32[e], how much each counts as a sample to learn from, 0 = not at all; None = 1 each.
    """

    user: np.ndarray
    item: np.ndarray
    event: np.ndarray
    ts: np.ndarray
    offsets: np.ndarray
    keys: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def from_frame(cls, events: pl.DataFrame, users: int, kept: pl.Expr) -> EventColumns:
        """Takes the columns user, item, event, ts and, if any, weight of known items out of a frame.

        kept: which events. A frame of more than `snapshot.log_parts.ROWS_AT_ONCE` must be sorted by user: its
        columns are made part by part and mapped from files.
        """
        columns = joined(_in_order(part, kept) for part in parts_by_shopper(events))
        # Numbers of another type than the column's would make NumPy copy it.
        bounds = np.arange(users + 2, dtype=columns["user"].dtype)
        return cls(**columns, offsets=np.searchsorted(columns["user"], bounds))

    def __len__(self) -> int:
        """Number of events."""
        return len(self.user)

    def columns(self) -> Columns:
        """The columns by name, without `keys`."""
        names = ("user", "item", "event", "ts", "offsets", *(() if self.weight is None else ("weight",)))
        return {name: getattr(self, name) for name in names}

    def position_before(self, user: np.ndarray, ts: np.ndarray) -> np.ndarray:
        """int64[n]: for each (user, ts) the end of the user's events strictly before ts.

        user: int[n], 1…U; ts: int64[n], unix seconds.
        """
        return np.searchsorted(self.keys, _keys(user, ts), side="left")


@dataclass(frozen=True, slots=True)
class CartColumns:
    """Changes of carts sorted by user and time.

    item, pieces: int32[c], ts: int64[c], as of `Dataset.cart_changes`; offsets: int64[U+2], those of user u
    are offsets[u]…offsets[u+1].
    """

    item: np.ndarray
    pieces: np.ndarray
    ts: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_frame(cls, changes: pl.DataFrame, users: int) -> CartColumns:
        """Takes the columns out of a frame that is sorted by user and time."""
        item, pieces, ts = (changes[name].to_numpy() for name in ("item", "pieces", "ts"))
        return cls(item, pieces, ts, np.searchsorted(changes["user"].to_numpy(), np.arange(users + 2)))


def _in_order(events: pl.DataFrame, kept: pl.Expr) -> dict[str, np.ndarray]:
    """The columns of `EventColumns` but `offsets`, of the events of some shoppers."""
    names = ["user", "item", "event", "ts", *(["weight"] if "weight" in events.columns else [])]
    known = events.filter((pl.col("item") > 0) & kept).select(names)
    ordered = known.sort("user", "ts", maintain_order=True)
    columns = {name: ordered[name].to_numpy() for name in names}
    if "weight" in columns:
        columns["weight"] = columns["weight"].astype(np.float32)
    return columns | {"keys": _keys(columns["user"], columns["ts"])}


def _keys(user: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """int64: user and time as one number that sorts like the pair; times are cut to 0…2^34 (year 2514)."""
    moment = np.clip(np.asarray(ts, dtype=np.int64), 0, _TIME_SPAN - 1)
    return np.asarray(user, dtype=np.int64) * _TIME_SPAN + moment


@dataclass(frozen=True, slots=True)
class InteractionLog:
    """A data set's events: what shoppers did apart from what the shop showed them.

    behaviours: events other than impressions; impressions: the impressions; profile: int32[U+1, 4], codes in
    the order of `PROFILE_FIELDS`, row 0 unknown; items: N; categories: int32[N+1]; work: where samples
    are cut; carts: what was put into carts and taken out, None = nothing known.
    """

    behaviours: EventColumns
    impressions: EventColumns
    profile: np.ndarray
    items: int
    categories: np.ndarray
    work: PartitionWork = IN_THIS_PROCESS
    carts: CartColumns | None = None

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        work: PartitionWork = IN_THIS_PROCESS,
        weights: np.ndarray | None = None,
    ) -> InteractionLog:
        """Reads a data set's events and users.

        `work`: where samples are cut; `weights`: float32[e] of `EventColumns.weight`, in the order of the
        data set's events.
        """
        events = dataset.events().select("user", "item", "event", "ts").collect()
        weighed = events if weights is None else events.with_columns(pl.Series("weight", weights))
        return replace(cls.of_events(weighed, dataset.users(), dataset), work=work)

    @classmethod
    def of_events(cls, events: pl.DataFrame, users: pl.DataFrame, dataset: Dataset) -> InteractionLog:
        """The log of some of a data set's events, with its users, its catalogue and all changes of carts."""
        catalogue = dataset.catalogue
        return cls.from_frames(
            events, users, catalogue.size, np.asarray(catalogue.category), dataset.cart_changes()
        )

    @classmethod
    def of_shoppers(
        cls, dataset: Dataset, users: pl.DataFrame, shoppers: Sequence[int], until: float
    ) -> InteractionLog:
        """The log of some shoppers up to unix second `until`: as `from_dataset`, with nothing of the others.

        `users`: of the data set; `shoppers`: their indices.
        """
        own = pl.col("user").is_in(list(shoppers)) & (pl.col("ts") < until)
        events = dataset.events().filter(own).select("user", "item", "event", "ts").collect()
        catalogue = dataset.catalogue
        return cls.from_frames(
            events,
            users,
            catalogue.size,
            np.asarray(catalogue.category),
            dataset.cart_changes(shoppers),
        )

    @classmethod
    def from_frames(
        cls,
        events: pl.DataFrame,
        users: pl.DataFrame,
        items: int,
        categories: np.ndarray,
        cart_changes: pl.DataFrame | None = None,
    ) -> InteractionLog:
        """Builds the log from the tables of a data set: see `docs/architecture.md` for their columns.

        `cart_changes`: as of `Dataset.cart_changes`; None = nothing known.
        """
        count = users.height
        profile = np.zeros((count + 1, len(PROFILE_FIELDS)), dtype=np.int32)
        rows = users["user"].to_numpy()
        for column, field in enumerate(PROFILE_FIELDS):
            if f"{field}_code" in users.columns:
                profile[rows, column] = users[f"{field}_code"].fill_null(0).to_numpy()
        shown = pl.col("event") == IMPRESSION
        return cls(
            behaviours=EventColumns.from_frame(events, count, ~shown),
            impressions=EventColumns.from_frame(events, count, shown),
            profile=profile,
            items=items,
            categories=categories,
            carts=None if cart_changes is None else CartColumns.from_frame(cart_changes, count),
        )

    def item_frequency(self, time_range: tuple[int, int]) -> np.ndarray:
        """int64[N+1]: behaviours of each item in [time_range[0], time_range[1]), unix seconds."""
        inside = (self.behaviours.ts >= time_range[0]) & (self.behaviours.ts < time_range[1])
        return np.bincount(self.behaviours.item[inside], minlength=self.items + 1)
