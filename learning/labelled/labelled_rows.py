"""Joins the samples of the event log with the feature log: one row for each impression that both have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.context import CONTEXT_SIZES
from features.profile import PROFILE_FIELDS
from learning.labelled.logged_answers import LoggedAnswers
from learning.stream.log_reader import LogReader
from learning.stream.samples import Samples
from learning.stream.settings import StreamSettings
from learning.stream.stream import StreamState
from snapshot.catalogue import Catalogue
from snapshot.item_keys import item_keys
from state.attribution import AttributionCodec
from state.feature_log.logged_page import LoggedPage
from state.store import StateStore

CONTEXT_FIELDS = ("hour", "weekday", "device")
assert len(CONTEXT_FIELDS) == len(CONTEXT_SIZES)

Rows = dict[str, NDArray[Any]]


class LabelledRows:
    """Reads both logs from their beginning, and counts by reason what has no row."""

    def __init__(
        self,
        settings: StreamSettings,
        codec: AttributionCodec,
        catalogue: Catalogue,
        answers: LoggedAnswers,
        scratch: Path,
    ) -> None:
        """Reads nothing yet.

        Args:
            settings: windows; `label_wait_s` is how long a label is waited for.
            codec: decodes attribution tokens.
            catalogue: of the items that there are.
            answers: of the feature log.
            scratch: an empty folder for files that are of no use afterwards.
        """
        self._answers = answers
        self._batch_events = settings.batch_events
        self._state = StreamState(settings, codec, catalogue, scratch)
        self.dropped: Counter[str] = Counter()
        """Events and samples without a row, by reason: those of the learner, `features_not_logged` (the
        feature log has no such answer) and `features_item` (the answer there has no such item)."""
        self.rows = 0
        """Rows that were made."""

    def read(self, store: StateStore, scenes: Collection[str]) -> Iterator[Rows]:
        """The rows of a store's log, some hundred at a time; may raise StorageError and OSError.

        Columns, all of one length: `scene`, `snapshot_id`, `model_name`, `model_version`, `answer` uint64
        (the same for the rows of one answer), `served_s` and `shown_s` int64, `item_id`, `slot` int32 from 1,
        `score`, `recall_score` float32, `channels` uint32 (bits of `channel_names`), `channel_names`,
        `propensity` float64 (NaN: not drawn), `history_length` int32, the codes of the profile and of the
        context int32, `arms` ("experiment=arm", separated by blanks), the further columns of scorers float32
        (NaN: not of this answer), and the labels `clicked`, `carted`, `purchased`. Who the shopper is, is not
        among them.
        """
        log = LogReader(store, self._batch_events)
        while True:
            entries, corrupt = log.entries(self._state.seq)
            made = self._joined(self._state.read(entries, scenes))
            if corrupt is not None:
                self._state.skip(corrupt.seq, "corrupt")
            if made:
                yield made
            if not entries and corrupt is None:
                break
        self.dropped.update(self._state.drops)

    @property
    def waiting(self) -> int:
        """Impressions at the log's end whose label is not known yet."""
        return self._state.rows["waiting"]

    def _joined(self, samples: Samples) -> Rows:
        answers, of_answer = np.unique(samples.answers, return_inverse=True)
        parts = []
        for number, page in enumerate(self._answers.pages(answers)):
            (rows,) = np.nonzero(of_answer == number)
            if page is None:
                self.dropped["features_not_logged"] += rows.size
                continue
            keys = item_keys(page.item_ids)
            order = np.argsort(keys)
            at = order[np.minimum(np.searchsorted(keys, samples.items[rows], sorter=order), keys.size - 1)]
            there = keys[at] == samples.items[rows]
            self.dropped["features_item"] += int(np.count_nonzero(~there))
            if there.any():
                parts.append(self._rows(page, at[there], samples, rows[there]))
        if not parts:
            return {}
        made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.rows += made["slot"].size
        return made

    def _rows(self, page: LoggedPage, at: NDArray[np.intp], samples: Samples, of: NDArray[np.intp]) -> Rows:
        count = at.size
        texts: Mapping[str, str] = {
            "scene": page.scene,
            "snapshot_id": page.snapshot_id,
            "model_name": page.model_name,
            "model_version": page.model_version,
            "arms": " ".join(f"{name}={arm}" for name, arm in sorted(page.arms.items())),
            "channel_names": " ".join(page.channel_names),
        }
        absent = np.full(count, np.nan, np.float32)
        codes = {
            **dict(zip(PROFILE_FIELDS, page.profile_codes.tolist(), strict=True)),
            **dict(zip(CONTEXT_FIELDS, page.context_codes.tolist(), strict=True)),
            "history_length": page.history_length,
        }
        return {
            **{name: np.full(count, text, object) for name, text in texts.items()},
            "answer": samples.answers[of],
            "served_s": np.full(count, page.ts, np.int64),
            "shown_s": samples.shown_s[of],
            "item_id": np.array(page.item_ids, object)[at],
            "slot": (at + 1).astype(np.int32),
            "score": page.scores[at],
            "recall_score": page.recall_scores[at],
            "channels": page.channels[at],
            "propensity": np.full(count, np.nan) if page.propensities is None else page.propensities[at],
            **{name: np.full(count, code, np.int32) for name, code in codes.items()},
            **{
                name: page.columns[name][at] if name in page.columns else absent
                for name in self._answers.columns
            },
            "clicked": samples.clicked[of],
            "carted": samples.carted[of],
            "purchased": samples.purchased[of],
        }
