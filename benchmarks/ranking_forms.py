"""The forms of one trained BST that `benchmarks.ranking` measures: the plain deployment's and ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from exporters.formats import FLOAT32, FORMATS
from exporters.graph_files import MODEL_FILE
from exporters.input_cases import dataset_cases, made_up_cases
from exporters.ranking_sample import RankingSample, ranking_sample
from exporters.runner import Feeds, Runner
from exporters.selection import Trial, select, timed_requests
from exporters.settings import ExportSettings
from models.bst import serving_form
from models.bst_network import Bst
from models.bst_replicated import plain_replicated_scores
from models.checkpoint import load_checkpoint
from models.contracts import contract as contract_of
from models.in_process import NetworkRunner
from models.item_features import ItemFeatures
from models.registry import MODELS
from snapshot.dataset import Dataset
from triton_repo.contract import Contract
from triton_repo.manifest import CandidateRecord

EAGER = "torch, replicated"
PLAIN = "ONNX Runtime, replicated float32"
ORIGINAL = "original BST, shared history"


class Replicated(nn.Module):
    """The same scores as `Bst`, each candidate with its own copy of the history."""

    def __init__(self, bst: Bst) -> None:
        """Wraps a trained network, which is not changed."""
        super().__init__()
        self.bst = bst

    def forward(
        self,
        history_item: Tensor,
        history_event: Tensor,
        history_age: Tensor,
        profile: Tensor,
        context: Tensor,
        candidate_item: Tensor,
        candidate_row: Tensor,
    ) -> Tensor:
        """Arguments and answer as `Bst.forward`."""
        return plain_replicated_scores(
            self.bst,
            history_item,
            history_event,
            history_age,
            profile,
            context,
            candidate_item,
            candidate_row,
        )


@dataclass(frozen=True)
class Form:
    """One way to serve the network.

    run: asks it in this process; model: its graph, None where torch runs it; replicates: whether its caller
    sends every candidate with a copy of the history, as a plain deployment does; gate: what the export's
    gates said, None for forms that need no gate.
    """

    name: str
    run: Runner
    model: Path | None
    replicates: bool = False
    gate: CandidateRecord | None = None


def forms_of(
    checkpoint: Path, dataset: Dataset, folder: Path, settings: ExportSettings, seed: int
) -> tuple[list[Form], RankingSample]:
    """Every form, written below `folder`, and the real shoppers its quality was judged on.

    The masked network of `checkpoint` gives all of them but `ORIGINAL`, which is the network whose history
    sees the candidate, with the same weights: its speed is measured here, not its quality.
    """
    bst, record = load_checkpoint(checkpoint, "bst")
    assert isinstance(bst, Bst)
    kind, contract = MODELS["bst"], contract_of("bst")
    real = dataset_cases(
        kind,
        contract,
        dataset,
        shoppers=settings.sample_shoppers,
        candidates=settings.sample_candidates,
        seed=seed,
    )
    sample = ranking_sample(
        kind,
        contract,
        dataset,
        points=settings.quality_points,
        negatives=settings.quality_negatives,
        lists=settings.quality_lists,
        list_candidates=settings.quality_candidates,
        seed=seed,
    )
    replicated = Replicated(bst).eval()
    weights = bst.state_dict()
    original = Bst(
        bst.settings.model_copy(update={"mask_candidate": False}),
        ItemFeatures.from_weights(weights, bst.code_counts),
        bst.profile_counts,
    )
    original.load_state_dict(weights)
    float32 = folder / FLOAT32
    trial = Trial(
        contract,
        NetworkRunner(bst, contract.tensors, {}),
        real,
        [*made_up_cases(contract, record.items, seed), *real],
        sample,
        timed_requests(contract, sample, settings.speed_candidates),
    )
    forms = [
        Form(EAGER, NetworkRunner(replicated, contract.tensors, {}), None, replicates=True),
        _written(PLAIN, replicated, contract, folder / "replicated", replicates=True),
        _written(
            ORIGINAL,
            serving_form(original.eval(), settings.item_table_mib << 20),
            contract,
            folder / "original",
        ),
        _written(FLOAT32, serving_form(bst, settings.item_table_mib << 20), contract, float32),
    ]
    tried = select(trial, float32, folder, settings).candidates
    forms += [
        Form(
            gate.format,
            FORMATS[FLOAT32].open(folder / gate.format, contract),
            folder / gate.format / MODEL_FILE,
            gate=gate,
        )
        for gate in tried
        if gate.format != FLOAT32 and gate.bytes is not None
    ]
    return forms, sample


def request_of(sample: RankingSample, items: int, candidates: int, seed: int) -> Feeds:
    """One shopper's call: the longest history of the sample, and candidates from the whole catalogue."""
    longest = max(sample.lists, key=lambda feeds: int(np.count_nonzero(feeds["history_event"])))
    drawn = np.random.default_rng(seed).choice(items, candidates, replace=candidates > items) + 1
    return {
        **longest,
        "candidate_item": drawn.astype(np.int32),
        "candidate_row": np.zeros(candidates, np.int32),
    }


def replicated_request(feeds: Feeds) -> Feeds:
    """The same call as a plain deployment sends it: the shopper's side once for every candidate."""
    count = len(feeds["candidate_item"])
    return {
        name: values if name.startswith("candidate") else np.repeat(values, count, axis=0)
        for name, values in feeds.items()
    } | {"candidate_row": np.arange(count, dtype=np.int32)}


def _written(
    name: str, module: nn.Module, contract: Contract, folder: Path, *, replicates: bool = False
) -> Form:
    folder.mkdir(parents=True)
    with torch.no_grad():
        FORMATS[FLOAT32].write(module, contract, (), folder)
    return Form(name, FORMATS[FLOAT32].open(folder, contract), folder / MODEL_FILE, replicates)
