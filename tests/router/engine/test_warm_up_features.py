"""Warm-up gives each scene the defaults of the query features that its components name, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.stages import StageBug
from recall.query import Query
from registration.registry import RegistrationError
from router.engine.engine import Engine
from router.engine.warm_up import warm_up
from router.filters.registry import FILTERS
from tests.router.engine.conftest import Watched


class Unseen:
    """A filter that reads what was served to the shopper."""

    name = "unseen"

    def keep(self, query: Query, candidates: Any) -> np.ndarray:
        return np.isin(candidates.items, query.features["impressions"].items, invert=True)


@pytest.fixture
def engine(watched: Watched) -> Engine:
    """An engine whose scene home has the filter."""
    engine = watched.live.current
    home = replace(engine.pipelines["home"], filters=(Unseen(),))
    return replace(engine, pipelines={**engine.pipelines, "home": home})


async def test_a_component_that_reads_a_feature_without_naming_it_is_found(engine: Engine) -> None:
    with pytest.raises(StageBug, match="filter:unseen failed: KeyError: 'impressions'"):
        await warm_up(engine)


async def test_a_named_feature_has_its_default(engine: Engine) -> None:
    await warm_up(replace(engine, features={**engine.features, "home": frozenset({"impressions"})}))


def test_an_engine_knows_the_features_of_each_scene(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILTERS._members, "adult", replace(FILTERS["adult"], features=("impressions",)))
    built = watched.live.open(watched.shop.snapshots.open_current())
    assert set(built.features.values()) == {frozenset({"impressions", "feedback"})}
    assert built.variant("home", "u").features == {"impressions", "feedback"}


def test_an_engine_whose_components_name_an_unknown_feature_is_not_built(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILTERS._members, "adult", replace(FILTERS["adult"], features=("age",)))
    with pytest.raises(RegistrationError, match="the filter adult of shopfront reads the query feature age"):
        watched.live.open(watched.shop.snapshots.open_current())
