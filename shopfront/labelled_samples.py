"""Writes the labelled samples of a workspace's logs into a Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from learning.labelled.labelled_rows import LabelledRows, Rows
from learning.labelled.logged_answers import LoggedAnswers
from learning.stream.shop_facts import ShopFacts
from server.settings import RouterSettings
from snapshot.durable_files import write_durably
from state.attribution import AttributionCodec
from state.live_counters.decay import TICK_S
from state.registry import open_state


@dataclass(frozen=True, slots=True)
class WrittenSamples:
    """What was written: samples, answers of the feature log, impressions without a label yet; what has none.

    dropped  reason and number, the most frequent first
    """

    rows: int
    answers: int
    waiting: int
    dropped: list[tuple[str, int]]


def write_samples(settings: RouterSettings, label_wait_s: int, path: Path) -> WrittenSamples:
    """Replaces the file at `path`, in a folder that there is, by the labelled samples of both logs.

    `label_wait_s`: seconds after an impression for which its label is waited for.

    Raises:
        SnapshotError, SettingsError, StorageError, FeatureLogError, EntryError, OSError: what it needs
            cannot be read, or the file cannot be written; what was there stays.
    """
    stream = settings.learning.stream
    window_s = max(stream.window_s, -(-label_wait_s // TICK_S) * TICK_S)
    stream = stream.model_copy(update={"label_wait_s": label_wait_s, "window_s": window_s})
    facts = ShopFacts(settings.snapshots.folder, settings.scenes)
    answers = LoggedAnswers.of(settings.feature_log.folder)
    store = open_state(settings.state)
    try:
        with TemporaryDirectory(prefix="shopfront-samples-") as scratch:
            codec = AttributionCodec.from_settings(settings.attribution)
            rows = LabelledRows(stream, codec, facts.catalogue, answers, Path(scratch))
            parts = [_frame(part) for part in rows.read(store, facts.scenes)]
    finally:
        store.close()
    content = BytesIO()
    (pl.concat(parts) if parts else pl.DataFrame()).write_parquet(content)
    write_durably(path, content.getvalue())
    dropped = [(reason, count) for reason, count in rows.dropped.most_common() if count]
    return WrittenSamples(rows.rows, len(answers), rows.waiting, dropped)


def _frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(
        {
            name: pl.Series(name, column.tolist(), pl.String) if column.dtype == object else column
            for name, column in rows.items()
        }
    )
