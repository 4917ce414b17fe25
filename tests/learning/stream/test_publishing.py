"""What a learner says of itself, and the versions that it publishes."""

from __future__ import annotations

import numpy as np
import pytest

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from server.settings import RouterSettings
from snapshot.event_codes import VIEW
from state.published import LiveFolder
from state.store import StateStore
from testing.browsing_log import START_S, event
from tests.learning.stream.learners import learner_of, read_all
from tests.learning.stream.logs import append

pytestmark = pytest.mark.slow


def test_metrics_say_what_was_read_and_what_was_not_learned_from(
    learned: tuple[RouterSettings, str], one_store: StateStore, item_ids: list[str]
) -> None:
    settings, _ = learned
    append(
        one_store,
        [event(VIEW, "unknown", START_S + 9_000), event(VIEW, item_ids[0], START_S, timestamp_ms=0)],
    )
    metrics = ProcessMetrics()
    learner = learner_of(settings, one_store, metrics)
    read_all(learner)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"shopfront_learner_{name}", labels)

    assert value("events_total") == learner.state.events == learner.state.seq
    assert value("samples_total") == learner.state.learned > 500
    assert value("drops_total", reason="unknown_item") == 1
    assert value("drops_total", reason="no_time") == 1
    assert value("watermark_seconds") == START_S + 9_000
    assert value("lag_seconds") == 0
    learner.checkpoint()
    learner.close()
    # A learner that goes on does not count again what another process has counted.
    metrics = ProcessMetrics()
    again = learner_of(settings, one_store, metrics)
    again.step()
    assert not metrics.registry.get_sample_value("shopfront_learner_drops_total", {"reason": "no_time"})
    again.close()


def test_a_version_that_is_nonsense_is_held_and_the_last_good_one_stays(
    learned: tuple[RouterSettings, str], one_store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    settings, _ = learned
    metrics = ProcessMetrics()
    learner = learner_of(settings, one_store, metrics)
    read_all(learner)
    assert learner.publish_model()
    replica = LiveFolder(settings.learning.folder)
    assert replica.look()
    good = replica.current.model
    assert good.samples == learner.state.learned
    learner.ranker._ftrl.z[5, 0] = np.nan
    learner.ranker.samples += 1
    assert not learner.publish_model()
    assert "is held (not_finite)" in caplog.text
    held = metrics.registry.get_sample_value(
        "shopfront_learner_versions_held_total", {"reason": "not_finite"}
    )
    assert held == 1
    replica.look()
    assert replica.current.model is good
    learner.close()
    # The next learner has the version that was published.
    again = learner_of(settings, one_store)
    assert again.ranker.published.samples == good.samples
    again.close()
