"""Rankers over the inputs of the last layer on a real Triton: they order a scene and roll out behind gates.

The gates are the verdict of a sandbox test and what shoppers say.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from evaluation.loaded_models import LoadedModel, load_models
from evaluation.sandbox.sandbox import run_sandbox, write_verdict
from exporters.checkpoint_export import export
from exporters.settings import ExportSettings
from foundation.verdicts.verdict import Verdict
from models.checkpoint import load_checkpoint, save_checkpoint
from models.training_loop import silent
from pipeline.candidates import unscored
from protos.shopfront.v1 import feedback_pb2
from protos.shopfront.v1.feedback_pb2_grpc import FeedbackServiceStub
from protos.shopfront.v1.recommend_pb2 import RecommendRequest
from protos.shopfront.v1.recommend_pb2_grpc import RecommendServiceStub
from recall.query import Query
from router.ranking.logistic.table import LOGISTIC_RANKER, LogisticRankerSettings
from router.ranking.ranker_model import with_ranker_inputs
from router.tables.files import TABLES_FOLDER
from server.settings import RouterSettings
from shopfront.sandbox import Sandbox
from shopfront.settings import ModelsSettings, Settings
from shopfront.training import train_model
from shopfront.workspace import Workspace
from state.registry import open_state
from state.seed import seed_state
from testing.quick_rollouts import QUICK_JUDGE, quick_settings
from testing.rollout_traffic import SHOPPERS, Operator, stage
from testing.running_router import in_process
from testing.served_shop import NOW, ServedShop, make_shop
from triton_repo.control import TritonControl
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings

pytestmark = pytest.mark.slow

RANKERS = {
    "forest": {"network": {"trees": 8}, "samples": {"max_points": 300}},
    "rank_net": {"training": {"max_steps": 40}, "samples": {"max_points": 300}},
}
GOOD, BAD = 2, 3
"""Versions of the forest beside the stable one: the same trees, and trees that like what nobody takes."""
EXPORT = ExportSettings(formats=("onnx",), sample_shoppers=20, speed_rounds=3, minimum_speed_ratio=0)
SCENES = """
scenes:
  cart:
    channels: {{ranki2i: {{share: 0.6}}, hot: {{share: 0.4}}}}
    candidates: 60
    deadline: {{budget_ms: 4000.0}}
    ranking: {{model: {model}, timeout_ms: 2000.0, scorers: {{triton: {{scorer: ranker}}}}}}
"""


@dataclass(frozen=True)
class Rankers:
    """A shop, its shared Triton with the rankers, and the networks of their first versions."""

    shop: ServedShop
    triton: TritonServer
    networks: Mapping[str, LoadedModel]

    def settings(self, model: str, **sections: Any) -> RouterSettings:
        """Of a router that orders by the model."""
        self.shop.scenes.write_text(SCENES.format(model=model))
        plain = quick_settings(
            self.shop, self.triton.grpc_url, recall={"mind": {"enabled": False}}, **sections
        )
        rollout = plain.rollout.model_copy(update={"repository": self.triton.repository.root})
        ranking = plain.ranking.model_copy(update={"model": model})
        return plain.model_copy(update={"ranking": ranking, "rollout": rollout})


@pytest.fixture(scope="module")
def rankers(tmp_path_factory: pytest.TempPathFactory, triton: TritonServer) -> Iterator[Rankers]:
    shop = make_shop(tmp_path_factory.mktemp("rankers"))
    checkpoints, repository = shop.folder / "checkpoints", triton.repository
    first = {}

    def exported(name: str, checkpoint: Path) -> int:
        made = export(checkpoint, shop.dataset, repository, EXPORT, seed=1, clock=lambda: 0.0)
        assert made.parity.max_abs < 1e-5
        return made.version

    with TritonControl(triton.grpc_url) as control:
        for name, section in ModelsSettings.model_validate(RANKERS).sections().items():
            if name not in RANKERS:
                continue
            made = train_model(name, shop.dataset, section, checkpoints, silent, {})
            first[name] = checkpoints / name / made.checkpoint
            assert made.metrics["ndcg@10"] > 0.2
            assert exported(name, first[name]) == 1
            repository.configure({name: ModelSettings()})
            repository.load_only(name, (1,))
            control.load(name)
            control.wait_version(name, 1)
        again = repository.stage("forest")
        shutil.copytree(repository.version_folder("forest", 1), again, dirs_exist_ok=True)
        assert repository.add_version("forest", again) == GOOD
        forest, record = load_checkpoint(first["forest"])
        forest.value.copy_(1 - forest.value)  # type: ignore[operator, union-attr]
        assert exported("forest", save_checkpoint(forest, record, checkpoints / "forest" / "bad")) == BAD
        shop.publish(dict.fromkeys(RANKERS, 1), tables={LOGISTIC_RANKER.name: LOGISTIC_RANKER})
        (shop.folder / "triton").symlink_to(repository.root)
        yield Rankers(shop, triton, load_models(first, shop.dataset.manifest.id))
        for name in RANKERS:
            control.unload(name)


@pytest.mark.parametrize("model", RANKERS)
def test_a_scene_is_ordered_by_the_ranker_that_its_configuration_names(rankers: Rankers, model: str) -> None:
    with in_process(rankers.settings(model)) as ingress:
        answer = ingress.recommend.Recommend(RecommendRequest(scene="cart", page_size=8), timeout=20)
    assert (answer.model_name, answer.model_version, list(answer.degraded)) == (model, "1", [])
    scores = [item.score for item in answer.items]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    snapshot = rankers.shop.snapshots.open_current(verify=False)
    folder, catalogue = snapshot.path / TABLES_FOLDER / LOGISTIC_RANKER.name, snapshot.catalogue
    facts = LOGISTIC_RANKER.open(folder, catalogue, LogisticRankerSettings()).facts
    items = catalogue.dense([item.item_id for item in answer.items])
    zeros = np.zeros(items.size, np.int32)
    plain = unscored(items, zeros.astype(np.uint32), zeros.astype(np.float32), zeros)
    asked = Query(scene="cart", now=int(time.time()))
    expected = rankers.networks[model].ranked(asked, with_ranker_inputs(asked, plain, facts, catalogue))
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def sandbox_verdict(rankers: Rankers, settings: RouterSettings, version: int, folder: Path) -> Verdict:
    """The verdict of a version's sandbox test, on requests of 30 shoppers; written where the router looks."""
    shop = rankers.shop
    store = open_state(settings.state.model_copy(update={"url": f"lmdb://{folder / f'state-{version}'}"}))
    try:
        seed_state(store, shop.dataset, settings.state)
        sandbox = Sandbox.open(Workspace(shop.folder), Settings(router=settings), store)
        subject, contender = sandbox.version(version)
        recorded = folder / f"requests-{version}.jsonl"
        recorded.write_text(
            "".join(
                f'{{"offset_ms": {NOW * 1000 + n}, "call": "shopfront.v1.RecommendService/Recommend", '
                f'"data": {{"scene": "cart", "page_size": 8, "user_id": "u{n:04d}"}}}}\n'
                for n in range(30)
            )
        )
        pages = sandbox.recorded(recorded, ["cart"])
        found = run_sandbox(
            subject, pages, None, sandbox.present, contender, sandbox.settings.evaluation.sandbox
        )
        write_verdict(found.verdict, settings.sandbox.folder)
        return found.verdict
    finally:
        store.close()


@contextmanager
def rating_shoppers(address: str, unhappy: str) -> Iterator[list[str]]:
    """Shoppers who ask and rate what they are shown: 1 in the arm `unhappy`, 5 elsewhere; yields errors."""
    stop, errors = threading.Event(), list[str]()

    def live(client: int) -> None:
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            pages, feedback = RecommendServiceStub(channel), FeedbackServiceStub(channel)
            for turn in itertools.count(client, 2):
                if stop.is_set():
                    return
                user = f"shopper-{turn % SHOPPERS:04d}"
                try:
                    answer = pages.Recommend(RecommendRequest(scene="cart", user_id=user), timeout=20)
                    value = 1 if unhappy in answer.arms.values() else 5
                    rating = feedback_pb2.Rating(
                        dimension=feedback_pb2.RATING_DIMENSION_RELEVANCE, value=value
                    )
                    feedback.SendFeedback(
                        feedback_pb2.SendFeedbackRequest(
                            user_id=user, ratings=[rating], attribution_token=answer.attribution_token
                        ),
                        timeout=20,
                    )
                except grpc.RpcError as error:
                    errors.append(f"{error.code().name}: {error.details()}")

    threads = [threading.Thread(target=live, args=(client,), daemon=True) for client in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def test_a_version_serves_when_the_sandbox_and_the_shoppers_let_it(rankers: Rankers, tmp_path: Path) -> None:
    settings = rankers.settings("forest", sandbox={"rollouts": True, "folder": str(tmp_path / "sandbox")})
    judge = settings.rollout.judge.model_validate(
        QUICK_JUDGE
        | {
            "dissatisfied": {"margin": 0.2, "required": True},
            # Not what this is about, and told late where the machine is busy with other tests.
            "latency": {"enabled": False},
        }
    )
    settings = settings.model_copy(update={"rollout": settings.rollout.model_copy(update={"judge": judge})})
    stages = [stage(5_000, 0.3, 60), stage(10_000, 0.3, 30)]
    with in_process(settings) as ingress:
        operator = Operator(ingress.address)

        def refusal(version: int) -> str:
            with pytest.raises(grpc.RpcError) as refused:
                operator.start(version, stages)
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            return str(refused.value.details())

        assert "was not tested" in refusal(GOOD)
        assert not sandbox_verdict(rankers, settings, BAD, tmp_path).passed
        assert "failed the sandbox test: score of the page" in refusal(BAD)
        assert sandbox_verdict(rankers, settings, GOOD, tmp_path).passed
        for unhappy, phase, why in (
            ("candidate", "rolled_back", "dissatisfied: 100.00% of"),
            ("nobody", "promoted", ""),
        ):
            with rating_shoppers(ingress.address, unhappy) as errors:
                operator.start(GOOD, stages)
                ended = operator.wait_until("promoted", "rolled_back", "refused", "expired")
            assert (ended.phase, errors) == (phase, []), ended.reason
            assert why in ended.reason
        prepared = [event.reason for event in operator.history() if event.event == "prepared"]
        assert "recent requests scored by both" in prepared[-1]
        assert operator.status().stable_version == GOOD
