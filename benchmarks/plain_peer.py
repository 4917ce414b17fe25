"""The plain deployment the service is measured against: one grpc.aio server, eager torch, nothing shared.

It reads the same user state, asks the same channels and fuses them as the service does. MIND and BST run
in process as eager torch, BST with the history copied once per candidate, in float32. It has no filters, no
rerank, no deadlines and no trace: it is given the shorter way.

`python -m benchmarks.plain_peer <plan.json>` prints the address it serves and stops when its input closes.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
import numpy as np
import torch
import uvloop

from features.context import encode_context
from features.history import encode_history
from models.bst_network import Bst
from models.bst_replicated import plain_replicated_scores
from models.checkpoint import load_checkpoint
from models.mind_network import Mind
from protos.shopfront.v1 import recommend_pb2, recommend_pb2_grpc
from recall.build import RECALL_FOLDER, open_channels
from recall.channel import Services
from recall.query import Query
from recall.registry import CHANNELS
from recall.settings import RecallSettings
from recall.triggers import TriggerSettings, select_triggers
from router.fusion.kind import FusionParts
from router.fusion.registry import FUSIONS
from router.scenes.fit_shop import fit_scene
from router.scenes.load import KnownNames, load_scenes
from router.scenes.settings import SceneSettings
from router.service.shopper import read_shopper
from snapshot.catalogue import Catalogue
from snapshot.store import SnapshotStore
from state.registry import open_state
from state.settings import StateSettings
from state.store import StateStore


@dataclass(frozen=True)
class PeerPlan:
    """What the peer serves: the same snapshot, state, scene and checkpoints as the service beside it."""

    snapshots: str
    state_url: str
    scenes: str
    bst_checkpoint: str
    mind_checkpoint: str
    threads: int = 1


class PlainPeer(recommend_pb2_grpc.RecommendServiceServicer):
    """Answers `Recommend`."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: StateStore,
        scenes: dict[str, SceneSettings],
        folder: Path,
        bst: Bst,
        mind: Mind,
    ) -> None:
        """Opens the recall channels in `folder`, as the service does."""
        self._catalogue = catalogue
        self._store = store
        self._scenes = scenes
        self._bst = bst
        self._mind = mind
        self._channels = open_channels(
            folder, catalogue, Services(lambda name: self._interests), RecallSettings()
        )

    async def Recommend(
        self, request: recommend_pb2.RecommendRequest, context: grpc.aio.ServicerContext
    ) -> recommend_pb2.RecommendResponse:
        """The page of the best scored candidates."""
        scene = self._scenes[request.scene]
        query = await self._query(request)
        recalled = await asyncio.gather(
            *(self._channels[name].recall(query, scene.channels[name].k) for name in scene.shares())
        )
        shares = np.array(list(scene.shares().values()))
        ((fusion, settings),) = scene.fusion.items()
        parts = FusionParts(self._catalogue, {}, tuple(scene.shares()), shares)
        candidates = FUSIONS[fusion].create(parts, settings).fuse(recalled, scene.candidates)
        scores = self._score(query, candidates.items)
        best = np.argsort(-scores)[: request.page_size]
        items = candidates.items[best]
        return recommend_pb2.RecommendResponse(
            items=[
                recommend_pb2.RecommendedItem(item_id=item_id, score=score, title=title, category=category)
                for item_id, score, title, category in zip(
                    self._catalogue.item_ids(items),
                    scores[best].tolist(),
                    self._catalogue.titles(items),
                    self._catalogue.category_names(self._catalogue.category[items]),
                    strict=True,
                )
            ]
        )

    async def _query(self, request: recommend_pb2.RecommendRequest) -> Query:
        shopper = await read_shopper(self._store, self._catalogue, request.user_id, request.context.city)
        now = int(time.time())
        triggers, weights = select_triggers(
            shopper.history_items,
            shopper.history_events,
            shopper.history_ts,
            now,
            settings=TriggerSettings(),
        )
        return Query(
            scene=request.scene,
            user_id=request.user_id,
            now=now,
            history_items=shopper.history_items,
            history_events=shopper.history_events,
            history_ts=shopper.history_ts,
            triggers=triggers,
            trigger_weights=weights,
            profile=shopper.profile,
            profile_codes=shopper.profile_codes,
            context_codes=encode_context(now, request.context.device),
            purchased_items=shopper.purchases.items,
            purchased_ts=shopper.purchases.ts,
            removed_items=shopper.taken_out.items,
            removed_ts=shopper.taken_out.ts,
        )

    async def _interests(self, query: Query, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            interests: np.ndarray = self._mind(*_history(query)).numpy()
        return {"interests": interests}

    def _score(self, query: Query, items: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            scores: np.ndarray = plain_replicated_scores(
                self._bst,
                *_history(query),
                torch.from_numpy(query.profile_codes)[None],
                torch.from_numpy(query.context_codes)[None],
                torch.from_numpy(items),
                torch.zeros(len(items), dtype=torch.int32),
            ).numpy()
        return scores


def _history(query: Query) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    item, event, age = encode_history(query.history_items, query.history_events, query.history_ts, query.now)
    return torch.from_numpy(item)[None], torch.from_numpy(event)[None], torch.from_numpy(age)[None]


async def serve(plan: PeerPlan) -> None:
    """Serve until standard input closes."""
    torch.set_num_threads(plan.threads)
    snapshot = SnapshotStore(Path(plan.snapshots)).open_current()
    scenes = load_scenes(Path(plan.scenes), KnownNames(CHANNELS)).by_name
    peer = PlainPeer(
        snapshot.catalogue,
        open_state(StateSettings(url=plan.state_url)),
        {name: fit_scene(name, scene, snapshot.manifest.shop) for name, scene in scenes.items()},
        snapshot.path / RECALL_FOLDER,
        cast(Bst, load_checkpoint(Path(plan.bst_checkpoint), "bst")[0]),
        cast(Mind, load_checkpoint(Path(plan.mind_checkpoint), "mind")[0]),
    )
    server = grpc.aio.server()
    recommend_pb2_grpc.add_RecommendServiceServicer_to_server(peer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(serve(PeerPlan(**json.loads(Path(sys.argv[1]).read_text()))))
