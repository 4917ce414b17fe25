"""A live scorer, drawn slots, a page reranker and the feature log, in a service without Triton."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from foundation.telemetry.logs.user_ids import UserIds
from pipeline.candidates import Candidates
from pipeline.stages import Model
from protos.shopfront.v1.recommend_pb2 import (
    RecommendPageRequest,
    RecommendRequest,
    RecommendResponse,
    SceneRequest,
)
from router.page.contract import RankedScene
from router.page.exploration import draw_seed, explore
from router.page.page_reranker_kind import PageRerankerKind
from router.page.registry import PAGE_RERANKERS
from router.page.settings import ExplorationSettings
from router.ranking.registry import SCORERS
from router.ranking.scorer_kind import ScorerKind
from router.service.call import Call, new_call
from server.running_service import RunningService
from server.startup import start_service
from state.attribution import AttributionCodec
from state.feature_log.read_log import read_feature_log
from testing.served_shop import SCENES, ServedShop, make_shop

PLUGIN = "tests.page_and_learner"
NO_TRITON = "127.0.0.1:9"


class Nothing(BaseModel):
    """No settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Learner:
    """Prefers items with a low number."""

    version: str = "v41"

    def current(self) -> Learner:
        return self

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        return {"click": 1 / candidates.items.astype(np.float32)}

    def model(self, query: object) -> Model:
        return Model("learner", self.version)


@dataclass(frozen=True)
class Backwards:
    """Turns every scene of the page around."""

    name: str = "backwards"

    def slots(self, page_sizes: Sequence[int]) -> Sequence[int]:
        return page_sizes

    async def arrange(self, scenes: Sequence[RankedScene]) -> list[np.ndarray]:
        return [np.arange(len(scene.candidates))[::-1] for scene in scenes]


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """The parts of these tests, registered as a plug-in's are."""
    SCORERS.add(
        "learner",
        ScorerKind(Nothing, lambda context, settings: Learner(), ("click",), version_source="live"),
        PLUGIN,
    )
    PAGE_RERANKERS.add(
        "backwards", PageRerankerKind(Nothing, lambda catalogue, settings: Backwards()), PLUGIN
    )
    yield
    SCORERS.remove(PLUGIN)
    PAGE_RERANKERS.remove(PLUGIN)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> ServedShop:
    """A shop whose start page is ordered by the learner, explores and is logged."""
    shop = make_shop(tmp_path_factory.mktemp("shop"))
    shop.scenes.write_text(
        SCENES.replace(
            "  home:\n",
            "  home:\n    ranking: {scorers: {learner: {}}}\n    rerank: null\n"
            "    exploration: {share: 0.5, temperature: 0.05}\n    feature_log: {enabled: true}\n",
        ).replace(
            "  cart:\n", "  cart:\n    rerank: null\n    ranking: {scorers: {learner: {}, triton: {}}}\n"
        )
    )
    return shop


@pytest.fixture
async def running(shop: ServedShop) -> AsyncIterator[RunningService]:
    """The service."""
    started = await start_service(shop.settings(NO_TRITON, request_log={"salt": "s"}))
    yield started
    await started.stop()


def call() -> Call:
    """A call that arrives now."""
    return new_call(time.monotonic())


def ids(response: RecommendResponse) -> list[str]:
    """Item ids in page order."""
    return [item.item_id for item in response.items]


async def test_a_logged_page_holds_what_was_shown_with_its_probabilities(
    running: RunningService, shop: ServedShop
) -> None:
    response = await running.service.recommend(
        RecommendRequest(scene="home", user_id="u0001", with_trace=True), call()
    )
    assert (response.model_name, response.model_version) == ("learner", "v41")
    assert list(response.degraded) == []
    token = AttributionCodec().decode(response.attribution_token)
    assert (token.model_name, token.model_version) == ("learner", "v41")
    await running.service.recommend(RecommendRequest(scene="cart", user_id="u0001"), call())
    await running.stop()
    (page,) = read_feature_log(shop.folder / "features")
    assert page.attribution_token == response.attribution_token
    assert page.request_id == response.request_id
    assert page.item_ids == ids(response)
    assert (page.scene, page.user) == ("home", UserIds("s")("u0001"))
    assert (page.model_name, page.model_version) == ("learner", "v41")
    np.testing.assert_array_equal(page.scores, page.columns["learner.click"])
    np.testing.assert_allclose(page.scores, [item.score for item in response.items])
    reasons = [{reason.channel for reason in item.reasons} for item in response.items]
    assert [
        {name for bit, name in enumerate(page.channel_names) if int(bits) >> bit & 1}
        for bits in page.channels
    ] == reasons
    assert page.propensities is not None
    drawn = ~np.isnan(page.propensities)
    assert 0 < np.count_nonzero(drawn) < drawn.size
    (stage,) = [stage for stage in response.trace.stages if stage.stage == "exploration"]
    assert stage.detail == f"{np.count_nonzero(drawn)} slots drawn"
    # The draws can be repeated from the request id and the scene: which slots they are.
    everything = Candidates(
        np.arange(1, drawn.size + 1, dtype=np.int32),
        np.ones(drawn.size, np.uint32),
        np.zeros(drawn.size, np.float32),
        np.zeros(drawn.size, np.int32),
        np.ones(drawn.size, np.float32),
    )
    again = explore(
        everything,
        everything.take(slice(0)),
        ExplorationSettings(share=0.5, temperature=0.05),
        draw_seed(page.request_id, page.scene),
    )
    np.testing.assert_array_equal(~np.isnan(again.propensities), drawn)


async def test_a_failed_model_leaves_the_learner_and_is_named(running: RunningService) -> None:
    response = await running.service.recommend(RecommendRequest(scene="cart", with_trace=True), call())
    assert list(response.degraded) == ["ranking"]
    assert response.model_name == "learner"
    scores = [item.score for item in response.items]
    assert scores == sorted(scores, reverse=True)
    stages = [stage.stage for stage in response.trace.stages]
    assert {"ranking", "ranking:learner", "merge:first"} <= set(stages)


async def test_a_page_of_scenes_repeats_nothing_and_a_page_reranker_moves_it(shop: ServedShop) -> None:
    request = RecommendPageRequest(
        scenes=[SceneRequest(scene="cart", page_size=8), SceneRequest(scene="home", page_size=8)],
        with_trace=True,
    )
    plain = await start_service(shop.settings(NO_TRITON))
    before = await plain.service.recommend_page(request, call())
    await plain.stop()
    text = shop.scenes.read_text()
    shop.scenes.write_text("page:\n  rerank:\n    backwards: {}\n" + text)
    try:
        turned = await start_service(shop.settings(NO_TRITON))
        after = await turned.service.recommend_page(request, call())
        await turned.stop()
    finally:
        shop.scenes.write_text(text)
    for page in (before, after):
        shown = [item for scene in page.scenes for item in ids(scene)]
        assert len(shown) == len(set(shown)) == 16
    assert ids(after.scenes[0]) == ids(before.scenes[0])[::-1]
    stages = [stage.stage for stage in after.scenes[0].trace.stages]
    assert stages[-2:] == ["page:backwards", "page:no_repeats"]
