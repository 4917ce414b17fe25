"""Shares that follow rates within bounds, and the credit that items earn their channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.candidates import Candidates
from pipeline.channel_ranks import with_channel_ranks
from router.fusion.credit import CreditRule, credits_of
from router.fusion.modulated import FEATURE, ModulatedFusion
from router.fusion.modulation_settings import ModulationSettings, ShareBounds
from router.fusion.reciprocal_rank import ReciprocalRankFusion, fuse
from router.query_features.registry import QUERY_FEATURES
from router.scenes.features import scene_features
from router.scenes.settings import FeatureLogSwitch, SceneSettings
from state.channel_rates.rates import ChannelRates, GroupRates, SignalSums
from state.feature_log.logged_page import CREDIT
from tests.router.fusion.cases import recalled
from tests.router.ranking.queries import query

CHANNELS = ("a", "b")
NOTHING = SignalSums([0.0] * 2, [0.0] * 2, [0.0] * 2, [0.0] * 2)
B_IS_BETTER = SignalSums([600.0, 1_400.0], [1_000.0] * 2, [900.0] * 2, [800.0] * 2)
A_IS_BETTER = SignalSums([1_400.0, 600.0], [1_000.0] * 2, [900.0] * 2, [800.0] * 2)


def rates(seq: int, sums: SignalSums, segment: str = "") -> ChannelRates:
    return ChannelRates(
        seq, {("home", segment): GroupRates("home", segment, list(CHANNELS), [1e4] * 2, sums, NOTHING)}
    )


def modulated(**settings: object) -> ModulatedFusion:
    return ModulatedFusion(
        "home",
        CHANNELS,
        np.array([1.0, 0.9]),
        2.0,
        ModulationSettings.model_validate(settings),
        lambda shares: ReciprocalRankFusion(shares, 2.0, {}, {}),
    )


def first(fusion: ModulatedFusion, live: ChannelRates | None, history: int = 3) -> int:
    """The first item of a page of items 1 and 2, each its channel's best."""
    asked = replace(query(history), features={} if live is None else {FEATURE: live})
    made, _ = fusion.fusion_for(asked)
    return int(made.fuse([recalled([1]), recalled([2], 1)], 2).items[0])


def test_the_page_follows_the_rates_and_returns_with_them() -> None:
    fusion = modulated()
    better, worse = rates(5, B_IS_BETTER), rates(9, A_IS_BETTER)
    assert [first(fusion, live) for live in (None, better, worse, better)] == [1, 2, 1, 2]
    assert first(modulated(bounds={"b": ShareBounds(most=1.0), "a": ShareBounds(least=1.0)}), better) == 1


def test_the_trace_names_the_version() -> None:
    _, said = modulated().fusion_for(replace(query(), features={FEATURE: rates(5, B_IS_BETTER)}))
    assert said == "shares by rates 5"
    assert modulated().fusion_for(query())[1] == ""


def test_a_segment_has_its_own_shares() -> None:
    both = ChannelRates(3, {**rates(3, A_IS_BETTER).groups, **rates(3, B_IS_BETTER, "new").groups})
    fusion = modulated(segments="familiarity")
    assert first(fusion, both, history=3) == 2
    assert first(fusion, both, history=5) == 1
    assert first(modulated(), both, history=3) == 1


def test_a_crowd_is_of_known_profile_values_alone() -> None:
    fusion = modulated(segments="crowd")
    said = {"gender": "F", "age_band": "25-34"}
    known = replace(query(), profile=said)
    assert fusion.segment(known) == "F 25-34"
    assert fusion.segment(replace(known, profile_codes=np.array([1, 0, 0, 0], np.int32))) == ""


def page(answers: list[list[int]], shares: list[float]) -> Candidates:
    columns = [recalled(items, channel) for channel, items in enumerate(answers)]
    return with_channel_ranks(fuse(columns, np.array(shares), 10, 2.0), columns, ["a", "b", "hot"])


def test_an_item_is_credited_by_the_parts_of_its_score() -> None:
    items = page([[1, 2], [2, 3], [4]], [0.6, 0.3, 0.0])
    found = credits_of(items, CreditRule({"a": 0.6, "b": 0.3}, 2.0))
    by_item = dict(zip(items.items.tolist(), found.tolist(), strict=True))
    # Item 2: .6 / (2 + 2) of a and .3 / (2 + 1) of b.
    assert by_item == {1: [CREDIT, 0], 2: [153, 102], 3: [0, CREDIT], 4: [0, 0]}


def test_credit_is_what_the_score_gains_by_the_share() -> None:
    answers, shares, step = [[5, 1, 2, 9], [2, 3, 5, 1]], np.array([0.7, 0.4]), 1e-6
    items = page([*answers, []], [*shares, 0.0])

    def scores(of: np.ndarray) -> np.ndarray:
        return np.array(
            [
                sum(of[c] / (2.0 + 1 + answers[c].index(i)) for c in range(2) if i in answers[c])
                for i in items.items.tolist()
            ]
        )

    grown = np.log(scores(shares * [1 + step, 1])) - np.log(scores(shares))
    found = credits_of(items, CreditRule(dict(zip(CHANNELS, shares.tolist(), strict=True)), 2.0))
    assert found[:, 0] / CREDIT == pytest.approx(grown / step, abs=0.5 / CREDIT + 1e-4)


def test_items_without_ranks_are_due_to_nobody() -> None:
    items = page([[1], [2], []], [1.0, 1.0, 0.0])
    assert (
        credits_of(replace(items, columns={}), CreditRule({"a": 1.0, "b": 1.0}, 2.0)).tolist() == [[0, 0]] * 2
    )


def test_a_scene_that_moves_shares_needs_a_learner() -> None:
    moved = SceneSettings(modulation=ModulationSettings(), feature_log=FeatureLogSwitch(enabled=True))
    assert FEATURE in scene_features([moved])
    assert FEATURE not in scene_features([SceneSettings()])
    assert QUERY_FEATURES[FEATURE].from_learner
