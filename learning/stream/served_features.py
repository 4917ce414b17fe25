"""What serving knew of the shoppers of answers, followed in the feature log while events arrive.

The feature log is read up to the time of the event log and no further, also where both are read anew: what
a sample gets depends on both logs, and not on when they are read.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.stream.credited_answers import CreditedAnswers
from learning.stream.hashed_columns import KEYS, Columns, HashedColumns
from learning.stream.samples import Samples
from learning.stream.settings import StreamSettings
from state.attribution import MAX_AHEAD_S
from state.feature_log.log_file import FeatureLogError, entries_after
from state.feature_log.log_folder import files_of
from state.feature_log.logged_page import (
    CreditedAnswer,
    EntryError,
    LoggedAnswer,
    decode_answer,
    decode_credited,
)
from state.live_counters.keys import text_key
from state.live_counters.profile_keys import ProfileKeys

logger = logging.getLogger(__name__)

_SERVED, _REGIONS, _CROWDS = "served_s", "regions", "crowds"


def _allocate(capacity: int) -> Columns:
    return {
        KEYS: np.zeros(capacity, np.uint64),
        _SERVED: np.zeros(capacity, np.int64),
        _REGIONS: np.zeros(capacity, np.uint64),
        _CROWDS: np.zeros(capacity, np.uint64),
    }


@dataclass(slots=True)
class _Followed:
    """One file: the byte up to which it was read, and the time of the entry there, which is not due yet."""

    at: int = 0
    next_s: int = 0
    is_damaged: bool = False


class ServedFeatures:
    """The answers of the feature log that impressions may still come for."""

    def __init__(
        self, folder: Path, settings: StreamSettings, profiles: Callable[[str], ProfileKeys | None]
    ) -> None:
        """Reads nothing yet.

        Args:
            folder: of the feature log; it need not exist.
            settings: windows and bounds.
            profiles: snapshot id → keys of its vocabulary; None where the snapshot is gone.
        """
        self._folder = folder
        self._settings = settings
        self._profiles = profiles
        self._files: dict[str, _Followed] = {}
        self._answers = HashedColumns(_allocate)
        self.credited = CreditedAnswers(settings.most_credited, settings.answer_window_s)
        """What items are due to, of answers of scenes that move shares."""

    def __len__(self) -> int:
        """Answers that are kept."""
        return self._answers.rows

    def follow(self, since_s: int, log_s: int, drops: Counter[str]) -> None:
        """Takes up what samples need that are due from unix second `since_s` to `log_s` of the event log.

        These are answers until then, as far as tokens may be ahead. A file that cannot be read is logged; its
        answers count as not logged. `drops`: counts answers that there was no room for.
        """
        latest, oldest = log_s + MAX_AHEAD_S, self._oldest(since_s)
        read: list[LoggedAnswer] = []
        credited: list[CreditedAnswer] = []
        present = files_of(self._folder)
        self._files = {path.name: self._files.get(path.name, _Followed()) for _, _, path in present}
        for written_s, size, path in present:
            file = self._files[path.name]
            has_old_alone = not file.at and written_s < oldest
            if file.is_damaged or size <= file.at or file.next_s > latest or has_old_alone:
                continue
            try:
                self._read(path, file, latest, read, credited)
            except FileNotFoundError:
                continue
            except (FeatureLogError, EntryError, OSError) as error:
                file.is_damaged = not isinstance(error, OSError)
                logger.warning("samples lack what serving saw in %s: %s", path, error)
        self._note([answer for answer in read if answer.ts >= oldest], drops)
        self.credited.note([answer for answer in credited if answer.ts >= oldest], drops)

    def added(self, samples: Samples, drops: Counter[str]) -> Samples:
        """The samples with what serving knew of their shoppers; `drops` counts those without, by reason."""
        slots = self._answers.find(samples.answers)
        old = samples.shown_s - samples.served_s > self._settings.answer_window_s
        found = ~old & (slots >= 0)
        drops["features_old"] += int(np.count_nonzero(old))
        drops["features_not_logged"] += int(np.count_nonzero(~old & (slots < 0)))

        def known(name: str) -> NDArray[np.uint64]:
            return np.where(found, self._answers.columns[name][slots], np.uint64(0))

        return replace(samples, regions=known(_REGIONS), crowds=known(_CROWDS))

    def forget(self, log_s: int) -> None:
        """Drops answers of which no sample due after unix second `log_s` can be."""
        self.credited.forget(self._oldest(log_s))
        slots = self._answers.occupied()
        kept = slots[self._answers.columns[_SERVED][slots] >= self._oldest(log_s)]
        # Copying them is worth it where many go.
        if kept.size < slots.size * 3 // 4:
            self._answers.keep(kept)

    def _oldest(self, log_s: int) -> int:
        return log_s - self._settings.answer_window_s - self._settings.label_wait_s - MAX_AHEAD_S

    @staticmethod
    def _read(
        path: Path,
        file: _Followed,
        latest: int,
        read: list[LoggedAnswer],
        credited: list[CreditedAnswer],
    ) -> None:
        for end, content in entries_after(path, file.at):
            answer = decode_answer(content)
            if answer.ts > latest:
                file.next_s = answer.ts
                return
            read.append(answer)
            due = decode_credited(content)
            if due is not None:
                credited.append(due)
            file.at = end
        file.next_s = 0

    def _note(self, answers: list[LoggedAnswer], drops: Counter[str]) -> None:
        if not answers:
            return
        keys = np.array([text_key(answer.attribution_token) for answer in answers], np.uint64)
        unique, first = np.unique(keys, return_index=True)
        new = self._answers.find(unique) < 0
        first = np.sort(first[new])
        room = max(0, self._settings.most_answers - self._answers.rows)
        drops["features_full"] += max(0, first.size - room)
        chosen = first[:room]
        if not chosen.size:
            return
        slots, _ = self._answers.ensure(keys[chosen])
        columns = self._answers.columns
        columns[_SERVED][slots] = [answers[at].ts for at in chosen]
        regions, crowds = self._profile_keys([answers[at] for at in chosen])
        columns[_REGIONS][slots], columns[_CROWDS][slots] = regions, crowds

    def _profile_keys(self, answers: list[LoggedAnswer]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Regions and crowds, uint64[n] each; 0 for answers of a snapshot that is gone."""
        regions, crowds = np.zeros((2, len(answers)), np.uint64)
        codes = np.stack([np.frombuffer(answer.profile_codes, "<i4") for answer in answers])
        snapshots = np.array([answer.snapshot_id for answer in answers])
        for snapshot in np.unique(snapshots):
            keys = self._profiles(str(snapshot))
            if keys is not None:
                of = snapshots == snapshot
                regions[of], crowds[of] = keys.regions(codes[of]), keys.crowds(codes[of])
        return regions, crowds
