"""Checkpoints: a learner goes on where its last one is, and a bad one costs time alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from learning.folder_lock import LearnerBusy
from learning.stream.checkpoint import FILE
from server.settings import RouterSettings
from state.published import LiveFolder
from state.store import StateStore
from testing.browsing_log import browsing_log
from testing.served_shop import ServedShop
from tests.learning.stream.learners import learner_of, read_all, settings_of
from tests.learning.stream.logs import append

pytestmark = pytest.mark.slow


def test_a_learner_goes_on_where_its_checkpoint_is(
    shop: ServedShop, item_ids: list[str], store: StateStore, tmp_path: Path
) -> None:
    append(store, browsing_log(item_ids, 800, seed=1))
    settings = settings_of(shop, tmp_path / "learning")
    whole = learner_of(settings_of(shop, tmp_path / "whole"), store)
    digest = read_all(whole)
    whole.close()
    small = settings.model_copy(
        update={
            "learning": settings.learning.model_copy(
                update={"stream": settings.learning.stream.model_copy(update={"batch_events": 300})}
            )
        }
    )
    first = learner_of(small, store)
    first.step()
    first.checkpoint()
    first.step()
    first.close()
    # As a kill leaves them.
    torn = [
        settings.learning.folder / name
        for name in (".checkpoint.npz.7", ".live.json.7", ".model-9.weights.7")
    ]
    for path in torn:
        path.write_bytes(b"torn")
    # What was read since is read again.
    second = learner_of(small, store)
    assert second.state.seq == 300
    assert not any(path.exists() for path in torn)
    assert read_all(second) == digest
    replica = LiveFolder(settings.learning.folder)
    assert replica.look()
    assert replica.current.counters.tables.keys() == second.state.files.keys()
    with pytest.raises(LearnerBusy, match="learning"):
        learner_of(small, store)
    second.close()


def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    learned: tuple[RouterSettings, str], one_store: StateStore
) -> None:
    settings, digest = learned
    first = learner_of(settings, one_store)
    read_all(first)
    first.checkpoint()
    first.close()
    path = settings.learning.folder / FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    for damage in (bytes(content), bytes(content[: len(content) // 3]), b""):
        path.write_bytes(damage)
        again = learner_of(settings, one_store)
        assert again.state.seq == 0
        assert read_all(again) == digest
        again.close()


def test_a_checkpoint_of_other_settings_is_not_used(
    shop: ServedShop, learned: tuple[RouterSettings, str], one_store: StateStore
) -> None:
    settings, _ = learned
    first = learner_of(settings, one_store)
    read_all(first)
    first.checkpoint()
    first.close()
    other = learner_of(settings_of(shop, settings.learning.folder, label_wait_s=10), one_store)
    assert other.state.seq == 0
    other.close()
