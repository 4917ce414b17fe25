"""The learner: reads the event log, keeps its state, publishes it, and writes checkpoints."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foundation.storage.errors import StorageError
from learning.channel_rates_publisher import ChannelRatesPublisher
from learning.folder_lock import lock_folder
from learning.learned import Learned
from learning.metrics import LearnerMetrics
from learning.ranker.ranker import OnlineRanker
from learning.ranker_publisher import RankerPublisher
from learning.satisfaction.prediction.predictor import SatisfactionPredictor
from learning.settings import LearningSettings
from learning.stream.checkpoint import FILE, DamagedCheckpoint, digest, read_checkpoint, write_checkpoint
from learning.stream.log_reader import LogReader
from learning.stream.shop_facts import ShopFacts
from learning.stream.stream import StreamState
from state.attribution import AttributionCodec
from state.channel_rates.rates import SUFFIX as RATES
from state.live_counters.counter_file import SUFFIX as COUNTERS
from state.live_model.satisfaction import SUFFIX as SATISFACTION
from state.live_model.weights import SUFFIX as WEIGHTS
from state.published import MANIFEST, LiveManifest, write_manifest
from state.store import StateStore

logger = logging.getLogger(__name__)

_PUBLISH_S = 1.0
_FAILURE_PAUSE_S = 1.0
_FORMAT = 5


@dataclass(slots=True)
class _Regular:
    """What is done every `every_s` seconds, and was done last at `last_s` of the clock."""

    every_s: float
    act: Callable[[], object]
    last_s: float


class Learner:
    """One learner per folder. Every machine may have its own: from the same log they make the same."""

    def __init__(
        self,
        settings: LearningSettings,
        store: StateStore,
        log_name: str,
        codec: AttributionCodec,
        facts: ShopFacts,
        metrics: LearnerMetrics,
        feature_log: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the folder, and the state of its checkpoint where there is one that can be used.

        Args:
            settings: the folder, windows, bounds, and the ranker.
            store: whose event log is read.
            log_name: distinguishes this log from others: a checkpoint of another one is not used.
            codec: decodes attribution tokens.
            facts: catalogue and scenes.
            metrics: what is counted.
            feature_log: folder in which replicas of this machine log what serving saw; None: samples go
                without.
            clock: monotonic seconds.
            wall_clock: unix seconds, for the lag alone.

        Raises:
            LearnerBusy: another learner has the folder.
            StorageError: the store cannot be read.
            OSError: the folder cannot be written.
        """
        self._settings = settings
        self._store = store
        self._log = LogReader(store, settings.stream.batch_events)
        self._codec = codec
        self._facts = facts
        self._metrics = metrics
        self._feature_log = feature_log
        self._clock = clock
        self._wall_clock = wall_clock
        self._folder = settings.folder
        ranker = settings.ranker.model_dump_json(exclude={"publish_s", "guard"})
        self._made_by = f"{_FORMAT} {log_name} {settings.stream.model_dump_json()} {ranker}"
        # Where a deletion is under way, its shopper's events may still be read.
        self._erasures = store.erasures_revision() - bool(store.unfinished_erasures())
        self._erased_at: float | None = None
        self._lock = lock_folder(self._folder)
        try:
            for name in (FILE, MANIFEST, f"*{WEIGHTS}", f"*{SATISFACTION}", f"*{RATES}"):
                for left in self._folder.glob(f".{name}.*"):
                    left.unlink()
            self._versions = RankerPublisher(self._folder, metrics)
            self._rates = ChannelRatesPublisher(self._folder)
            self._learned = self._opened()
            self._versions.take_up(self.ranker, settings.ranker.bits, self._erasures)
            self._metrics.begin(self.state.drops)
            self._checkpointed = self.state.seq
            self.satisfaction.publish(self._folder)
            self._rates.publish(self.state)
            self.publish()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def state(self) -> StreamState:
        """Counters and open pairs."""
        return self._learned.state

    @property
    def ranker(self) -> OnlineRanker:
        """The ranker that learns."""
        return self._learned.ranker

    @property
    def satisfaction(self) -> SatisfactionPredictor:
        """What ratings say."""
        return self._learned.satisfaction

    def step(self) -> int:
        """Reads the next entries of the log and publishes what they change; returns how many there were.

        Raises:
            StorageError: the log cannot be read now; nothing has changed.
        """
        entries, corrupt = self._log.entries(self.state.seq)
        files = self.state.files
        samples = self._learned.read(entries, self._facts.scenes)
        if corrupt is not None:
            logger.error("%s", corrupt)
            self.state.skip(corrupt.seq, "corrupt")
        if self.state.files != files:
            self.publish()
        if self._settings.ranker.enabled:
            self.ranker.learn(samples)
        self._observe(len(entries), len(samples))
        return len(entries) + (corrupt is not None)

    def run(self, stop: threading.Event) -> None:
        """Reads until `stop` is set, then writes a checkpoint. Raises what `checkpoint` does."""
        settings = self._settings
        began = self._clock()
        regular = (
            _Regular(_PUBLISH_S, self.publish, began),
            _Regular(settings.ranker.publish_s, self.publish_model, began),
            _Regular(settings.stream.channels.publish_s, self.publish_rates, began),
            # Ratings that were read by now are published at once.
            _Regular(settings.satisfaction.every_s, self.publish_satisfaction, -math.inf),
            _Regular(settings.follow_s, self._follow, began),
            _Regular(settings.stream.checkpoint_s, self._try_checkpoint, began),
        )
        failing = False
        while not stop.is_set():
            try:
                count = self.step()
                failing = False
            except StorageError as error:
                if not failing:
                    logger.warning("the event log cannot be read, which is tried again: %s", error)
                failing = True
                stop.wait(_FAILURE_PAUSE_S)
                continue
            now = self._clock()
            for each in regular:
                if now - each.last_s >= each.every_s:
                    each.last_s = now
                    each.act()
            if count < settings.stream.batch_events:
                stop.wait(settings.stream.poll_s)
        self.checkpoint()

    def publish(self) -> None:
        """Names the present files to the replicas, and removes older ones. Raises OSError."""
        files, learned = self.state.files, (self._versions.file, self.satisfaction.file, self._rates.file)
        write_manifest(
            self._folder, LiveManifest(files, self.state.seq, self.state.log_s, self._erasures, *learned)
        )
        named = {*files.values(), *learned}
        for suffix in (COUNTERS, WEIGHTS, SATISFACTION, RATES):
            for path in self._folder.glob(f"*{suffix}"):
                if path.name not in named:
                    # Replicas that still map it keep it until they look.
                    path.unlink(missing_ok=True)

    def publish_model(self) -> bool:
        """Publishes what the ranker has learned, unless a guard holds it; whether it did. Raises OSError."""
        changed = self._versions.publish(self.ranker)
        if changed:
            self.publish()
        return changed

    def publish_rates(self) -> None:
        """Publishes the recall channels' rates. Raises OSError."""
        if self._rates.publish(self.state):
            self.publish()

    def publish_satisfaction(self) -> None:
        """Publishes what ratings say since the last time. Raises OSError."""
        if self.satisfaction.publish(self._folder):
            self.publish()
        self._metrics.observe_satisfaction(self.satisfaction)

    def digest(self) -> str:
        """A hash of all that was learned: two learners are the same to the bit where theirs is."""
        return digest(*self._learned.exported())

    def checkpoint(self) -> None:
        """Writes the state and its place in the log; nothing where no event was read. Raises OSError."""
        if self.state.seq == self._checkpointed:
            return
        numbers, arrays = self._learned.exported()
        numbers["erasures"] = self._erasures
        write_checkpoint(self._folder, self._made_by, numbers, arrays)
        self._checkpointed = self.state.seq
        self._metrics.checkpoints["written",].inc()
        self._metrics.checkpoint_at.set(self._wall_clock())

    def close(self) -> None:
        """Gives the folder up."""
        os.close(self._lock)

    def _begin_anew(self) -> None:
        """Forgets everything, in files too; the log is read from its beginning."""
        self._learned = self._nothing_learned()
        self._versions = RankerPublisher(self._folder, self._metrics)
        self._rates = ChannelRatesPublisher(self._folder)
        self._checkpointed = 0
        self._metrics.begin(self.state.drops)
        (self._folder / FILE).unlink(missing_ok=True)
        self._metrics.checkpoint_at.set(0.0)
        self.publish()

    def _follow(self) -> None:
        """Takes up deletions of shoppers, and a new catalogue or new scenes."""
        self._forget_erased()
        if self._facts.look():
            self.state.use(self._facts.catalogue)

    def _forget_erased(self) -> None:
        """Begins anew where shoppers were deleted, whose events the log has no more."""
        now = self._clock()
        if self._erased_at is not None and now - self._erased_at < self._settings.erase_every_s:
            return
        try:
            revision = self._store.erasures_revision()
            if revision == self._erasures or self._store.unfinished_erasures():
                return
        except StorageError as error:
            logger.warning("whether shoppers were deleted is not known, which is tried again: %s", error)
            return
        logger.info("shoppers were deleted: the log is read anew, without them")
        self._erased_at, self._erasures = now, revision
        self._begin_anew()

    def _try_checkpoint(self) -> None:
        try:
            if self._log.began_anew(self.state.seq):
                logger.warning("the event log began anew: so does the learner")
                self._begin_anew()
            self.checkpoint()
        except (OSError, StorageError) as error:
            self._metrics.checkpoints["failed",].inc()
            logger.error("no checkpoint could be written: %s", error)

    def _observe(self, events: int, samples: int) -> None:
        self._metrics.observe(events, samples, self.state.drops, self.state.rows)
        behind = events >= self._settings.stream.batch_events
        self._metrics.lag.set(max(0.0, self._wall_clock() - self.state.log_s) if behind else 0.0)
        self._metrics.watermark.set(self.state.log_s)
        self._metrics.seq.set(self.state.seq)

    def _opened(self) -> Learned:
        """What the checkpoint contains, or nothing learned where there is none that can be used."""
        learned = self._nothing_learned()
        try:
            found = read_checkpoint(self._folder, self._made_by)
            if found is not None:
                numbers, arrays = found
                if numbers["erasures"] != self._erasures:
                    logger.info("shoppers were deleted: the log is read anew, without them")
                    return learned
                learned.load(numbers, arrays)
                self._metrics.checkpoint_at.set((self._folder / FILE).stat().st_mtime)
                logger.info("the learner goes on after event %d of the log", learned.state.seq)
            elif (self._folder / FILE).exists():
                logger.warning("the checkpoint is of another log or other settings: the log is read anew")
            return learned
        except (DamagedCheckpoint, KeyError) as error:
            # Nothing is lost: it all follows from the log.
            logger.error("%s; the log is read anew", error)
            return self._nothing_learned()

    def _nothing_learned(self) -> Learned:
        return Learned(self._settings, self._codec, self._facts, self._feature_log)
