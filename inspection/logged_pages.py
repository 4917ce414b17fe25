"""Answers of the feature log as they were made, for people to look at."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.profile import PROFILE_FIELDS
from inspection.item_summaries import summaries
from protos.shopfront.v1 import admin_pb2
from router.engine.engine import Engine
from snapshot.catalogue import Catalogue
from state.feature_log.log_file import FeatureLogError, read_entries
from state.feature_log.log_folder import files_of
from state.feature_log.logged_page import EntryError, LoggedPage, decode

MAX_PAGES = 100
MAX_READ_BYTES = 64 * 2**20
"""What one call reads, the newest files first: four files of the default size, some 200,000 answers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers: of a scene, a shopper's pseudonym, a request; "" = of all. `before`: unix seconds."""

    scene: str = ""
    user: str = ""
    request_id: str = ""
    before: float = math.inf

    def may_be(self, entry: bytes) -> bool:
        """False where an entry's bytes show that it is none of them, at a fraction of what decoding takes."""
        return self.request_id.encode() in entry and self.user.encode() in entry

    def has(self, page: LoggedPage) -> bool:
        """Whether the answer is one of them."""
        return page.ts < self.before and all(
            not asked or asked == found
            for asked, found in (
                (self.scene, page.scene),
                (self.user, page.user),
                (self.request_id, page.request_id),
            )
        )


class LoggedPages:
    """Reads the folder of the feature log; blocks on the disk."""

    def __init__(self, folder: Path, pseudonym: Callable[[str], str]) -> None:
        """`folder`: of the log; `pseudonym`: what it has in the place of a shopper's id."""
        self._folder = folder
        self._pseudonym = pseudonym

    def listed(
        self, engine: Engine, limit: int, request: admin_pb2.ListLoggedPagesRequest
    ) -> admin_pb2.ListLoggedPagesResponse:
        """At most `limit` answers, newest first. Raises OSError where the folder cannot be read.

        Files of another version of the software are left out and counted as unread.
        """
        user = self._pseudonym(request.user_id) if request.user_id else ""
        wanted = Wanted(request.scene, user, request.request_id, request.before or math.inf)
        # A log that names nobody has nothing that is known to be this shopper's.
        unnamed = bool(request.user_id) and not user
        found, truncated = ([], False) if unnamed else self._newest(limit, wanted)
        detailed = bool(request.request_id)
        return admin_pb2.ListLoggedPagesResponse(
            pages=[_message(page, engine, detailed=detailed) for page in found],
            truncated=truncated,
            logged_scenes=[name for name, settings in engine.scenes.items() if settings.feature_log.enabled],
        )

    def _newest(self, limit: int, wanted: Wanted) -> tuple[list[LoggedPage], bool]:
        found: list[LoggedPage] = []
        read = 0
        truncated = False
        for written, size, path in reversed(files_of(self._folder)):
            enough = sorted((page.ts for page in found), reverse=True)[limit - 1 : limit]
            # Replicas write a file each at the same time, so the next one may have newer answers.
            if enough and written < enough[0]:
                break
            try:
                if wanted.before < math.inf and _begun(path) >= wanted.before:
                    continue
                if read and read + size > MAX_READ_BYTES:
                    truncated = True
                    break
                read += size
                kept: deque[LoggedPage] = deque(maxlen=limit)
                kept.extend(page for page in _pages(path, wanted) if wanted.has(page))
            except FileNotFoundError:
                # Deleted meanwhile, to make room.
                continue
            except (FeatureLogError, EntryError):
                truncated = True
                continue
            found.extend(kept)
        found.sort(key=lambda page: -page.ts)
        return found[:limit], truncated


def _pages(path: Path, wanted: Wanted) -> Iterator[LoggedPage]:
    return (decode(entry) for entry in read_entries(path) if wanted.may_be(entry))


def _begun(path: Path) -> float:
    """Unix second of a file's first answer; infinite where it has none."""
    first = next(iter(read_entries(path)), None)
    return math.inf if first is None else decode(first).ts


def _message(page: LoggedPage, engine: Engine, *, detailed: bool) -> admin_pb2.LoggedPage:
    catalogue = engine.catalogue
    items = summaries(catalogue, catalogue.dense(list(page.item_ids)))
    for item_id, each in zip(page.item_ids, items, strict=True):
        each.item_id = item_id
    same = page.snapshot_id == engine.snapshot_id
    return admin_pb2.LoggedPage(
        at=page.ts,
        scene=page.scene,
        request_id=page.request_id,
        user=page.user,
        snapshot_id=page.snapshot_id,
        model_name=page.model_name,
        model_version=page.model_version,
        arms=page.arms,
        history_length=page.history_length,
        profile=_profile(page, catalogue) if same else {},
        items=[_item(page, position, item, detailed=detailed) for position, item in enumerate(items)],
    )


def _item(
    page: LoggedPage, position: int, item: admin_pb2.ItemSummary, *, detailed: bool
) -> admin_pb2.LoggedItem:
    logged = admin_pb2.LoggedItem(item=item, score=float(page.scores[position]))
    if not detailed:
        return logged
    bits = int(page.channels[position])
    logged.channels.extend(name for bit, name in enumerate(page.channel_names) if bits >> bit & 1)
    logged.recall_score = float(page.recall_scores[position])
    for name, column in page.columns.items():
        logged.scores[name] = float(column[position])
    if page.propensities is not None and not np.isnan(page.propensities[position]):
        logged.propensity = float(page.propensities[position])
    return logged


def _profile(page: LoggedPage, catalogue: Catalogue) -> dict[str, str]:
    """The profile behind its codes; what is unknown is left out."""
    codes = page.profile_codes.tolist()
    return {
        field: catalogue.profile_vocab[field][code - 1]
        for field, code in zip(PROFILE_FIELDS, codes, strict=True)
        if 0 < code <= len(catalogue.profile_vocab.get(field, ()))
    }
