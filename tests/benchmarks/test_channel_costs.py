"""What channels of a model cost: every form of its network as a graph, and the channel that asks it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import channel_costs
from benchmarks.channel_costs import NOW, modelled_costs, queries_of, synthetic_catalogue, synthetic_log
from benchmarks.channel_models import FORMS, ServedNetwork, served_network
from features.history import history_inputs
from recall.channel import BuildSource
from snapshot.catalogue import Catalogue

pytestmark = pytest.mark.slow

ITEMS, DIMENSIONS, INTERESTS = 3_000, 64, 4

Shop = tuple[Catalogue, pl.DataFrame]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A small catalogue and its log."""
    random = np.random.default_rng(0)
    catalogue = synthetic_catalogue(tmp_path_factory.mktemp("costs") / "shop", ITEMS, random)
    return catalogue, synthetic_log(catalogue, 5_000, random)


@pytest.fixture(scope="module")
def networks(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServedNetwork]:
    """Both forms of MIND; each takes seconds to export."""
    folder = tmp_path_factory.mktemp("graphs")
    return {form: served_network(form, shop[0], folder / form, seed=0) for form in FORMS["mind"]}


def test_a_graph_answers_interests_of_its_form(shop: Shop, networks: dict[str, ServedNetwork]) -> None:
    query = queries_of(shop[1], 1, np.random.default_rng(1))[0]
    encoded = history_inputs(query.history_items, query.history_events, query.history_ts, query.now)
    inputs = {name: encoded[name] for name in ("history_item", "history_event", "history_age")}
    answers = {}
    for form, network in networks.items():
        assert network.vectors.shape == (ITEMS + 1, DIMENSIONS)
        assert network.mib > network.vectors.nbytes / 2**20
        answers[form] = network.run(inputs)["interests"]
        assert answers[form].shape == (1, INTERESTS, DIMENSIONS)
    # The gate mixes the newest behaviours in: the same history does not give the same interests.
    assert not np.allclose(answers["mind"], answers["dual_gate"], atol=1e-3)


def test_every_form_has_a_row_for_its_graph_and_for_the_channel_that_asks_it(
    shop: Shop, networks: dict[str, ServedNetwork], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue, log = shop
    monkeypatch.setattr(channel_costs, "served_network", lambda form, *rest: networks[form])
    users = pl.DataFrame({"user": [1], "user_id": ["u1"]}, schema={"user": pl.Int32, "user_id": pl.String})
    source = BuildSource(log, users, catalogue, NOW, {}, 0)
    queries = queries_of(log, 5, np.random.default_rng(1))
    rows = dict(modelled_costs(["hot", "mind"], source, tmp_path, queries))
    assert list(rows) == ["graph mind", "mind", "graph dual_gate", "mind, dual_gate"]
    for cost in rows.values():
        assert cost is not None
        assert cost.mib > ITEMS * DIMENSIONS * 4 / 2**20
        assert 0 < cost.request_ms <= cost.p99_ms
