"""Published weights: whole or refused, and taken up by replicas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from state.live_model.inputs import RankedRows
from state.live_model.weights import OnlineModel, WeightsError, read_weights, write_weights
from state.published import LiveFolder, LiveManifest, write_manifest


def model(samples: int = 7) -> OnlineModel:
    return OnlineModel(8, samples, np.random.default_rng(samples).normal(size=256).astype(np.float32))


def test_a_replica_takes_up_versions_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    replica = LiveFolder(tmp_path)
    rows = RankedRows(*(np.ones(3, np.uint64),) * 4, np.zeros(3, np.int64), np.zeros(3, np.int32))
    assert replica.current.model.log_odds(rows).tolist() == [0, 0, 0]
    for samples in (7, 9):
        write_weights(tmp_path / f"model-{samples}.weights", model(samples))
        write_manifest(tmp_path, LiveManifest({}, model=f"model-{samples}.weights"))
        assert replica.look()
        assert replica.current.model.samples == samples
        assert replica.current.model.weights.tolist() == model(samples).weights.tolist()
    serving = replica.current
    (tmp_path / "model-11.weights").write_bytes(b"SFRANK1\n")
    write_manifest(tmp_path, LiveManifest({}, model="model-11.weights"))
    assert not replica.look()
    assert replica.current is serving


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:20],
        lambda content: b"SFRANK0\n" + content[8:],
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
        lambda content: b"",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "model.weights"
    write_weights(path, model())
    assert read_weights(path).samples == 7
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match=r"model\.weights"):
        read_weights(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weights = model().weights.copy()
    weights[5] = np.nan
    write_weights(tmp_path / "w", OnlineModel(8, 1, weights))
    with pytest.raises(WeightsError, match="no numbers"):
        read_weights(tmp_path / "w")
