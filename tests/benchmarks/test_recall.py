"""Channels beside their peers in plain Python."""

import pytest

from benchmarks.recall import WITHOUT_PEER, measure_dataset
from benchmarks.recall_peers import PEERS
from recall.build import enabled_channels
from recall.settings import RecallSettings
from testing.synthetic_shop import synthetic_dataset


def test_every_channel_of_a_shop_has_a_peer_or_is_named_without() -> None:
    assert set(PEERS) | WITHOUT_PEER == set(enabled_channels(RecallSettings()))
    assert not WITHOUT_PEER & set(PEERS)


def test_channels_answer_what_their_peers_answer(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    dataset = synthetic_dataset(tmp_path / "shop", users=60, items=120, events=3_000)
    measured = measure_dataset(dataset, 20, 0, tmp_path / "tables")
    assert set(measured["channels"]) == set(PEERS)
    assert measured["fused"]["recall@200"] > 0

    hot_peer = PEERS["hot"]
    monkeypatch.setitem(PEERS, "hot", lambda channel: lambda query, k: hot_peer(channel)(query, k)[1:])
    with pytest.raises(AssertionError, match="hot and its peer disagree"):
        measure_dataset(dataset, 20, 0, tmp_path / "others")
