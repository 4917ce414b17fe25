"""Scorers, merges and page rerankers in the scene configuration, and the pipeline that they make."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from pipeline import runner
from pipeline.candidates import Candidates
from pipeline.plan import MergedRanking, Pipeline
from pipeline.stages import Model
from router.ranking.registry import SCORERS
from router.ranking.scorer_kind import ScorerContext, ScorerKind
from router.ranking.scorer_opener import ScorerOpener
from router.scenes.assemble import assemble
from router.scenes.load import KnownNames, read_scenes
from router.scenes.problems import SettingsError
from tests.pipeline.stand_ins import RuleModel
from tests.router.scenes.test_assemble import CATALOGUE, live, shopper

PLUGIN = "tests.scorers"
HOT = KnownNames(("hot",))


class LearnerSettings(BaseModel):
    """Of the live scorer of these tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sign: int = Field(-1, description="What the score is multiplied by.")


@dataclass
class Learner:
    """A live scorer whose version grows."""

    sign: int
    version: int = 0

    def current(self) -> Learner:
        self.version += 1
        return Learner(self.sign, self.version)

    async def score(self, query: object, candidates: Candidates) -> dict[str, np.ndarray]:
        items = candidates.items.astype(np.float32)
        return {"click": self.sign * items, "sale": items}

    def model(self, query: object) -> Model:
        return Model("learner", str(self.version))


opened: list[LearnerSettings] = []


def open_learner(context: ScorerContext, settings: LearnerSettings) -> Learner:
    opened.append(settings)
    return Learner(settings.sign)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """A live scorer beside the built-in one."""
    opened.clear()
    SCORERS.add(
        "learner", ScorerKind(LearnerSettings, open_learner, ("click", "sale"), version_source="live"), PLUGIN
    )
    yield
    SCORERS.remove(PLUGIN)


def home(
    ranking: str, models: dict[str, RuleModel] | None = None, opener: ScorerOpener | None = None
) -> Pipeline:
    text = f"scenes: {{home: {{channels: {{hot: {{}}}}, ranking: {ranking}}}}}"
    scene = read_scenes(text.encode(), "scenes.yaml", KnownNames(("hot",), ("bst", "other")))["home"]
    models = models or {"bst": RuleModel(float), "other": RuleModel(lambda item: -item)}
    return assemble("home", scene, live(hot=[1, 2, 3]), CATALOGUE, models, opener=opener)


async def page(tested: Pipeline) -> runner.Page:
    return await runner.run(tested, shopper(), 3, time.monotonic() + 30, time.monotonic)


async def test_a_live_scorer_alone_orders_the_page_and_names_its_own_version() -> None:
    tested = home("{scorers: {learner: {}}}")
    first = await page(tested)
    assert first.items.items.tolist() == [1, 2, 3]
    assert first.model == Model("learner", "1")
    assert (await page(tested)).model == Model("learner", "2")
    assert list(first.items.columns) == ["learner.click", "learner.sale"]


async def test_scorers_are_merged_by_their_weights() -> None:
    tested = home(
        "{timeout_ms: 70.0, scorers: {triton: {}, learner: {sign: 1, timeout_ms: 9.0}},"
        " merge: {weighted_sum: {weights: {triton.score: 1.0, learner.sale: -2.0}}}}"
    )
    ranking = tested.ranking
    assert isinstance(ranking, MergedRanking)
    assert {name: each.timeout_ms for name, each in ranking.rankings.items()} == {
        "triton": 70.0,
        "learner": 9.0,
    }
    assert ranking.main == "triton"
    answered = await page(tested)
    assert answered.items.items.tolist() == [1, 2, 3]
    assert answered.model.name == "learner", "its column weighs most"


async def test_two_models_on_triton_score_under_names_of_their_own() -> None:
    tested = home("{scorers: {sales: {scorer: triton, model: other}, clicks: {scorer: triton}}}")
    answered = await page(tested)
    assert list(answered.items.columns) == ["sales.score", "clicks.score"]
    assert answered.items.items.tolist() == [1, 2, 3], "first: the scorer named first"
    ranking = tested.ranking
    assert isinstance(ranking, MergedRanking)
    assert (ranking.main, ranking.stage("sales")) == ("clicks", "ranking:sales")


async def test_a_live_scorer_is_opened_once_for_all_scenes_and_snapshots() -> None:
    opener = ScorerOpener()
    for _ in range(3):
        home("{scorers: {learner: {}}}", opener=opener)
    assert opened == [LearnerSettings()]
    home("{scorers: {learner: {sign: 1}}}", opener=opener)
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("ranking", "problem"),
    [
        (
            "{scorers: {lerner: {}}}",
            "ranking.scorers.lerner: unknown scorer; expected one of "
            + ", ".join(sorted({*SCORERS, "learner"})),
        ),
        ("{scorers: {a: {scorer: lerner}}}", "ranking.scorers.a: unknown scorer"),
        ("{scorers: {learner: {sgn: 1}}}", "ranking.scorers.learner.sgn: unknown key; expected one of sign"),
        (
            "{scorers: {learner: {timeout_ms: 0.0}}}",
            "ranking.scorers.learner.timeout_ms: should be greater than 0",
        ),
        ("{scorers: {learner: 3}}", "ranking.scorers.learner: a mapping is expected"),
        ("{scorers: 3}", "ranking.scorers: a mapping of names to their settings is expected"),
        ("{scorers: {candidate: {scorer: learner}}}", "ranking.scorers.candidate: a scorer's name is"),
        ("{scorers: {triton: {model: bts}}}", "ranking.scorers.triton.model: unknown model bts"),
        ("{model: bts}", "ranking.model: unknown model bts"),
        ("{scorers: {triton: {}}, model: bts}", "ranking.model: unknown model bts"),
        ("{merge: {first: {}}}", "ranking.merge: there is nothing to merge"),
        ("{scorers: {learner: {}}, merge: {frst: {}}}", "ranking.merge.frst: unknown merge of scores"),
        (
            "{scorers: {learner: {}}, merge: {}}",
            "ranking.merge: one merge with its settings is expected, got 0",
        ),
        (
            "{scorers: {learner: {}}, merge: {weighted_sum: {weights: {learner.clck: 1.0}}}}",
            "ranking.merge.weighted_sum: unknown column; expected one of learner.click, learner.sale",
        ),
        ("{scorers: {learner: {}}, merge: {weighted_sum: {}}}", "ranking.merge.weighted_sum.weights: "),
        ("3", "ranking: should be"),
    ],
)
def test_a_mistake_is_refused_and_named(ranking: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        home(ranking)
    assert f"scenes.home.{problem}" in str(raised.value)


def test_a_live_only_scene_needs_no_model_on_triton() -> None:
    home("{scorers: {learner: {}}, model: not_there}")


def test_a_scorer_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"scenes\.home\.ranking\.scorers\.triton: the model other is not live"
    ):
        home("{scorers: {triton: {model: other}}}", models={"bst": RuleModel(float)})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("page: 3", "page: a mapping with the key rerank is expected"),
        ("page: {rerank: [no_repeats]}", "page.rerank: a mapping of page reranker names"),
        ("page: {rerank: {no_repeat: {}}}", "page.rerank.no_repeat: unknown page reranker; expected one of"),
        ("page: {rerank: {no_repeats: {k: 1}}}", "page.rerank.no_repeats.k: unknown key"),
        ("page: {size: 3}", "page.size: unknown key; expected one of rerank"),
    ],
)
def test_a_mistake_in_the_page_is_refused_and_named(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_scenes(f"{text}\nscenes: {{home: {{}}}}".encode(), "scenes.yaml", HOT)
    assert problem in str(raised.value)


def test_the_page_key_is_read_and_may_be_left_out() -> None:
    assert list(read_scenes(b"scenes: {home: {}}", "scenes.yaml", HOT).page.rerank) == ["no_repeats"]
    named = read_scenes(
        b"page: {rerank: {no_repeats: }}\nscenes: {home: {}}", "scenes.yaml", KnownNames(("hot",))
    )
    assert list(named.page.rerank) == ["no_repeats"]
    assert read_scenes(b"page: {rerank: {}}\nscenes: {home: {}}", "s", HOT).page.rerank == {}
