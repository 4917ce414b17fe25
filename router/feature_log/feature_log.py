"""The side effect that keeps answers for learners: it queues them for a thread that writes."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Literal, NamedTuple

from recall.query import Query
from router.fusion.credit import credits_of
from router.service.impressions import ShownPage
from state.feature_log.log_folder import FeatureLogFolder, Written
from state.feature_log.logged_page import LoggedPage, encode
from state.feature_log.settings import FeatureLogSettings

logger = logging.getLogger(__name__)

Outcome = Written | Literal["dropped", "failed"]
_PAUSE_S = 5.0
_ANSWER_BYTES = 600
_ITEM_BYTES = 80


class _Queued(NamedTuple):
    query: Query
    shown: ShownPage
    size: int


class FeatureLog:
    """Writes the answers of scenes that switch it on; no answer ever waits for it, or fails by it.

    It costs the event loop a place in a queue. The queue is bounded in answers and in bytes; what it does
    not take is counted as dropped. The thread begins with the first answer.
    """

    name = "feature_log"

    def __init__(
        self,
        settings: FeatureLogSettings,
        folder: FeatureLogFolder,
        pseudonym: Callable[[str], str],
        count: Callable[[Outcome], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet.

        Args:
            settings: bounds of the queue, and how often files are synced.
            folder: where entries are written, by the thread alone.
            pseudonym: what is written in the place of a shopper's id.
            count: receives what became of each answer, from both threads.
            clock: monotonic seconds.
        """
        self._settings = settings
        self._folder = folder
        self._pseudonym = pseudonym
        self._count = count
        self._clock = clock
        self._queue: SimpleQueue[_Queued | None] = SimpleQueue()
        # Each is changed by one thread alone, so that neither needs a lock.
        self._taken_bytes = 0
        self._done_bytes = 0
        self._failing_since: float | None = None
        self._bugs = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def applies_to(self, query: Query, response: ShownPage) -> bool:
        """Whether its scene logs features, and it has items."""
        return response.log_features and bool(response.item_ids)

    async def after(self, query: Query, response: ShownPage) -> None:
        """Queues the answer; never blocks."""
        if self._closed:
            return
        size = _size(response)
        full = (
            self._queue.qsize() >= self._settings.buffered_answers
            or self._taken_bytes - self._done_bytes + size > self._settings.buffered_bytes
        )
        if full:
            self._count("dropped")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="feature-log", daemon=True)
            self._thread.start()
        self._taken_bytes += size
        self._queue.put(_Queued(query, response, size))

    def close(self, within_s: float) -> None:
        """Writes what is queued and closes the file, within `within_s` seconds; idempotent, blocks."""
        self._closed = True
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(within_s)
        if self._thread.is_alive():
            logger.warning("the feature log's disk is slow: about %d answers are lost", self._queue.qsize())

    def _run(self) -> None:
        while True:
            try:
                queued = self._queue.get(timeout=self._settings.sync_s)
            except Empty:
                self._guarded(self._folder.sync_due)
                continue
            if queued is None:
                break
            self._count(self._written(queued))
            self._done_bytes += queued.size
        self._guarded(self._folder.close)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._report(error)

    def _written(self, queued: _Queued) -> Outcome:
        if self._failing_since is not None and self._clock() - self._failing_since < _PAUSE_S:
            return "failed"
        try:
            outcome = self._folder.write(encode(self._entry(queued.query, queued.shown)))
        except OSError as error:
            self._report(error)
            return "failed"
        except Exception as error:
            self._report_bug(error)
            return "failed"
        if self._failing_since is not None:
            self._failing_since = None
            logger.info("the feature log is written again in %s", self._settings.folder)
        return outcome

    def _entry(self, query: Query, shown: ShownPage) -> LoggedPage:
        return LoggedPage(
            attribution_token=shown.attribution_token,
            request_id=shown.request_id,
            scene=shown.scene,
            user=self._pseudonym(query.user_id),
            ts=shown.ts,
            snapshot_id=shown.snapshot_id,
            model_name=shown.model.name,
            model_version=shown.model.version,
            arms=query.arms,
            channel_names=shown.channel_names,
            history_length=query.history_items.size,
            profile_codes=query.profile_codes,
            context_codes=query.context_codes,
            item_ids=shown.item_ids,
            scores=shown.items.score,
            recall_scores=shown.items.recall_score,
            channels=shown.items.channels,
            columns=shown.items.columns,
            propensities=shown.propensities,
            segment=shown.segment,
            credited=() if shown.credit is None else tuple(shown.credit.shares),
            credits=None if shown.credit is None else credits_of(shown.items, shown.credit),
        )

    def _report(self, error: OSError) -> None:
        """Logs the first of a row of failures; further ones are counted."""
        if self._failing_since is None:
            logger.error("the feature log cannot be written in %s: %s", self._settings.folder, error.strerror)
        self._failing_since = self._clock()

    def _report_bug(self, error: Exception) -> None:
        """Logs the first, without the error's own text, which may contain a shopper's id."""
        if not self._bugs:
            where = "".join(traceback.format_tb(error.__traceback__))
            logger.error("an answer cannot be logged for learners: %s\n%s", type(error).__name__, where)
        self._bugs += 1


def _size(shown: ShownPage) -> int:
    """About the bytes that the answer holds in memory until it is written."""
    columns = len(shown.items.columns)
    return _ANSWER_BYTES + len(shown.item_ids) * (_ITEM_BYTES + 4 * columns)
