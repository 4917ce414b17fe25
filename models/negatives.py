"""Negatives of sample points: impressions not taken first, then seeded draws from a mixture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.history import HISTORY_LENGTH
from models.interaction_log import InteractionLog
from models.samples import SamplePoints, flat_slices
from models.settings import NegativeSettings

REDRAWS = 8


@dataclass(frozen=True, slots=True)
class NegativeSampler:
    """Draws negatives that are as popular as items were in one time range, that of the points they go to.

    Popularity of another time would tell negatives from positives by their age: what shoppers take now is
    newer than what they took before.

    popular: float64[N+1], cumulative share of popularity^power; category_items: int32[N], items by category;
    category_offsets: int64[C+2], where each category's items lie.
    """

    settings: NegativeSettings
    log: InteractionLog
    popular: np.ndarray
    category_items: np.ndarray
    category_offsets: np.ndarray

    @classmethod
    def fit(
        cls, log: InteractionLog, settings: NegativeSettings, time_range: tuple[int, int]
    ) -> NegativeSampler:
        """Counts popularity in the behaviours of [time_range[0], time_range[1]), unix seconds.

        Raises ValueError where the catalogue holds no item.
        """
        if log.items < 1:
            raise ValueError("negatives cannot be drawn from an empty catalogue; ingest items first")
        frequency = log.item_frequency(time_range)
        weight = np.where(frequency > 0, frequency.astype(np.float64) ** settings.popularity_power, 0)
        if weight.sum() == 0:
            weight[1:] = 1
        weight[0] = 0
        categories = log.categories[1:]
        order = np.argsort(categories, kind="stable")
        return cls(
            settings,
            log,
            np.cumsum(weight) / weight.sum(),
            (order + 1).astype(np.int32),
            np.searchsorted(categories[order], np.arange(int(categories.max(initial=0)) + 2)),
        )

    def draw(self, points: SamplePoints, count: int, rng: np.random.Generator) -> np.ndarray:
        """int32[S, count] negatives of each point, never one of the items it takes; 0 = none could be found.

        An item may come up more than once in a row. A draw that hits a taken item is repeated a few times and
        then left out (0), which happens only where a shopper takes most of what is drawn from.
        """
        drawn = self._mixture(points, count, rng)
        self._put_impressions_first(points, drawn)
        keys = self._taken_keys(points)
        for _ in range(REDRAWS):
            hit = self._is_taken(keys, drawn)
            if not hit.any():
                return drawn
            drawn = np.where(hit, self._broad(drawn.shape, rng), drawn)
        return np.where(self._is_taken(keys, drawn), 0, drawn).astype(np.int32)

    def log_oversampling(self, points: SamplePoints, items: np.ndarray) -> np.ndarray:
        """float32[S, C]: log of how much likelier each item is drawn here than uniformly from the catalogue.

        A network trained by cross-entropy on drawn negatives learns log p(item) − log q(item): how much an
        item is preferred to what it is drawn against. Ranking a catalogue needs p. With this offset taken
        from the logit in training only, the logit itself means preference against uniform draws, whatever
        the mixture (the log-frequency correction of sampled softmax, for each source of draws).
        `settings.popularity_correction` below 1 leaves that share of log popularity uncorrected.
        """
        settings = self.settings
        near, related = settings.history_share, settings.category_share
        broad = settings.popular_share + settings.uniform_share
        popular = np.diff(self.popular, prepend=0)[items] * settings.popular_share
        uniform = settings.uniform_share / self.log.items
        chance = (popular + uniform) / broad if broad else np.full(items.shape, 1 / self.log.items)
        seen = self._seen_items(points)
        present = (seen > 0).sum(1, keepdims=True)
        length = np.maximum(present, 1)
        own = (items[:, :, None] == seen[:, None, :]).sum(2) / length
        category, seen_category = self.log.categories[items], self.log.categories[seen]
        alike = (category[:, :, None] == seen_category[:, None, :]).sum(2) / length
        size = np.maximum(np.diff(self.category_offsets), 1)[category]
        nearby = near * own + related * np.where(category > 0, alike / size, 0)
        # Where there is no history, or no category, the draw was a broad one after all.
        nowhere = np.where(present > 0, ((seen > 0) & (seen_category == 0)).sum(1, keepdims=True) / length, 1)
        fallen_back = broad + near * (present == 0) + related * nowhere
        chance = np.maximum(chance, 1e-3 / self.log.items)
        by_source = np.log(np.maximum(fallen_back + nearby / chance, 1e-6) / (broad + near + related))
        offset = by_source + settings.popularity_correction * np.log(chance * self.log.items)
        correction: np.ndarray = offset.astype(np.float32)
        return correction

    def _seen_items(self, points: SamplePoints) -> np.ndarray:
        """int32[S, T]: the part of each history a model sees, 0 = padding."""
        position = points.history_end[:, None] - 1 - np.arange(HISTORY_LENGTH)
        present = position >= points.history_start[:, None]
        return np.where(present, self.log.behaviours.item[np.where(present, position, 0)], 0)

    def _mixture(self, points: SamplePoints, count: int, rng: np.random.Generator) -> np.ndarray:
        settings, shape = self.settings, (len(points), count)
        drawn = self._broad(shape, rng)
        broad = settings.popular_share + settings.uniform_share
        total = broad + settings.history_share + settings.category_share
        if total == broad:
            return drawn
        source = rng.random(shape) * total
        near = self._from_history(points, count, rng)
        related = self._same_category(near, rng)
        from_history = (source >= broad) & (source < broad + settings.history_share)
        drawn = np.where(from_history & (near > 0), near, drawn)
        from_category = source >= broad + settings.history_share
        return np.where(from_category & (related > 0), related, drawn).astype(np.int32)

    def _broad(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Popular and uniform draws, int32 of the shape."""
        settings = self.settings
        popular = np.searchsorted(self.popular, rng.random(shape), side="right")
        uniform = rng.integers(1, self.log.items + 1, shape)
        weight = settings.popular_share + settings.uniform_share
        share = settings.popular_share / weight if weight else 0.0
        drawn = np.where(rng.random(shape) < share, popular, uniform)
        return np.minimum(drawn, self.log.items).astype(np.int32)

    def _from_history(self, points: SamplePoints, count: int, rng: np.random.Generator) -> np.ndarray:
        """Items drawn from the part of each history a model sees; 0 where it is empty."""
        end = points.history_end[:, None]
        length = np.minimum(points.history_end - points.history_start, HISTORY_LENGTH)[:, None]
        position = end - 1 - (rng.random((len(points), count)) * length).astype(np.int64)
        return np.where(length > 0, self.log.behaviours.item[np.maximum(position, 0)], 0)

    def _same_category(self, items: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each item another one of its category; 0 where item or category is unknown."""
        category = self.log.categories[items]
        first = self.category_offsets[category]
        size = self.category_offsets[category + 1] - first
        position = first + (rng.random(items.shape) * size).astype(np.int64)
        return np.where((items > 0) & (category > 0), self.category_items[position], 0)

    def _put_impressions_first(self, points: SamplePoints, drawn: np.ndarray) -> None:
        """Overwrites the first draws of each row with impressions shortly before it that were not taken."""
        impressions = self.log.impressions
        if not len(impressions):
            return
        end = impressions.position_before(points.user, points.now + 1)
        start = impressions.position_before(points.user, points.now - self.settings.impression_window)
        lengths = np.minimum(np.maximum(end - start, 0), 4 * drawn.shape[1])
        row = np.repeat(np.arange(len(points)), lengths)
        item = impressions.item[flat_slices(end - lengths, lengths)].astype(np.int64)
        free = ~np.isin(row * (self.log.items + 1) + item, self._taken_keys(points))
        row, item = row[free], item[free]
        _, unique = np.unique(row * (self.log.items + 1) + item, return_index=True)
        row, item = row[unique], item[unique]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        kept = rank < drawn.shape[1]
        drawn[row[kept], rank[kept]] = item[kept]

    def _taken_keys(self, points: SamplePoints) -> np.ndarray:
        """int64[...], sorted: row · (N + 1) + item of every taken item."""
        row = np.repeat(np.arange(len(points)), np.diff(points.taken_offsets))
        return np.unique(row * (self.log.items + 1) + points.taken_items)

    def _is_taken(self, keys: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        wanted = np.arange(len(drawn))[:, None] * (self.log.items + 1) + drawn
        if not len(keys):
            return np.zeros(drawn.shape, dtype=bool)
        position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: np.ndarray = keys[position] == wanted
        return found
