"""The two-tower model of prerank: its forms, unknown ids, its losses, its training by a teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.bst_network import Bst
from models.bst_settings import BstNetworkSettings
from models.checkpoint import CheckpointError, TrainedOn, load_checkpoint, record_of, save_checkpoint
from models.prerank_settings import TwoTowerNetworkSettings
from models.settings import SampleSettings, TrainingSettings
from models.train_two_tower import (
    WATCHED,
    kept_share,
    label_share,
    listwise_loss,
    teacher_share,
    train_two_tower,
    without_repeats,
)
from models.two_tower import TwoTower
from models.two_tower_serving import TwoTowerServing
from snapshot.manifest import Cuts
from tests.models.small_features import ITEMS, PROFILE_COUNTS, candidates, item_features, shoppers
from tests.models.small_log import START, random_log

LENGTHS = [0, 1, 7, 50, 23]
NAMES = (
    "history_item",
    "history_event",
    "history_age",
    "profile",
    "context",
    "candidate_item",
    "candidate_row",
)


def network(**settings: object) -> TwoTower:
    """A network with weights large enough for every part to show in the score."""
    torch.manual_seed(3)
    model = TwoTower(TwoTowerNetworkSettings(**settings), item_features(), PROFILE_COUNTS).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embedding" in name or "match" in name:
                weight.normal_(std=0.5)
    return model


def test_training_serving_and_folded_forms_answer_the_same() -> None:
    model = network()
    user = shoppers(LENGTHS)
    grid = torch.arange(1, 1 + len(LENGTHS) * 4).reshape(len(LENGTHS), 4)
    rows = torch.arange(len(LENGTHS)).repeat_interleave(4)
    with torch.no_grad():
        grouped = torch.sigmoid(model.grouped_logits(*user, grid)).flatten()
        single = model(*user, grid.flatten(), rows)
        folded = TwoTowerServing(model)(*user, grid.flatten(), rows)
    assert single.std() > 0.01
    torch.testing.assert_close(single, grouped, atol=1e-6, rtol=0)
    torch.testing.assert_close(folded, single, atol=1e-6, rtol=0)


def test_a_candidate_in_the_history_scores_by_its_event_and_age() -> None:
    model = network()
    with torch.no_grad():
        for table in (model.match_event, model.match_age):
            table.weight.zero_()
        model.match_scale.copy_(torch.tensor([1.0, 0, 0]))
    item, event, age, profile, context = shoppers([5])
    candidate = torch.tensor([ITEMS], dtype=torch.int32)
    item[item == ITEMS] = 1

    def logit() -> float:
        with torch.no_grad():
            return float(model.grouped_logits(item, event, age, profile, context, candidate[None]))

    def alone() -> float:
        with torch.no_grad():
            model.match_scale.zero_()
            without = logit()
            model.match_scale[0] = 1.0
        return without

    assert logit() == pytest.approx(alone(), abs=1e-6)
    item[0, 0] = item[0, 3] = ITEMS
    assert logit() - alone() == pytest.approx(np.log1p(2), abs=1e-5)
    with torch.no_grad():
        model.match_event.weight[int(event[0, 0]), 0] += 0.3
        model.match_age.weight[int(age[0, 3]), 0] -= 0.7
    weights = [
        0.3 * (int(event[0, t]) == int(event[0, 0])) - 0.7 * (int(age[0, t]) == int(age[0, 3]))
        for t in (0, 3)
    ]
    assert logit() - alone() == pytest.approx(np.log1p(np.exp(weights).sum()), abs=1e-5)


def test_ids_outside_the_tables_score_as_unknown_and_an_empty_history_is_finite() -> None:
    model = network()
    item, event, age, profile, context = shoppers([0, 10])
    strange = torch.tensor([0, -1, ITEMS + 1, 2**31 - 1, -(2**31)], dtype=torch.int32)
    for row in (0, 1):
        rows = torch.full((5,), row, dtype=torch.int32)
        with torch.no_grad():
            scores = model(item, event, age, profile, context, strange, rows)
            wild = item.clone()
            wild[1, 3] = ITEMS + 7
            known = torch.where(wild > ITEMS, 0, wild)
            assert torch.isfinite(scores).all()
            torch.testing.assert_close(scores, scores[:1].expand(5))
            torch.testing.assert_close(
                model(wild, event, age, profile + 1000, context - 1000, strange, rows),
                model(known, event, age, profile * 0, context * 0, strange, rows),
            )


def test_the_listwise_loss_is_least_where_the_student_agrees() -> None:
    teacher = torch.tensor([[3.0, 1.0, -1.0, 9.0]])
    present = torch.tensor([[True, True, True, False]])
    target = teacher_share(teacher, present, temperature=2.0)
    np.testing.assert_allclose(
        target[0, :3], np.exp([1.5, 0.5, -0.5]) / np.exp([1.5, 0.5, -0.5]).sum(), rtol=1e-6
    )
    assert target[0, 3] == 0
    agreeing = listwise_loss(teacher / 2 + 5, target, present)
    entropy = -(target[0, :3] * target[0, :3].log()).sum()
    torch.testing.assert_close(agreeing, entropy)
    assert listwise_loss(teacher, target, present) > agreeing
    assert torch.isfinite(listwise_loss(teacher, target * 0, present * False))
    more = torch.cat((teacher, -teacher))
    each = [listwise_loss(row[None], target, present).item() for row in more]
    lists = (more, target.repeat(2, 1), present.repeat(2, 1), torch.tensor([3.0, 1.0]))
    assert listwise_loss(*lists).item() == pytest.approx((3 * each[0] + each[1]) / 4, rel=1e-5)
    taken = label_share(torch.tensor([[1.0, 0, 1, 1], [0, 0, 0, 0]]), present.expand(2, 4))
    torch.testing.assert_close(taken, torch.tensor([[0.5, 0, 0.5, 0], [0, 0, 0, 0]]))


def test_kept_share_counts_the_teachers_best_among_the_students_first() -> None:
    none = -np.inf
    teacher = np.array([[9.0, 8, 7, 1, 0, none], [5.0, 4, none, none, none, none]])
    student = np.array([[1.0, 5, 4, 3, 2, none], [0.0, 1, none, none, none, none]])
    np.testing.assert_allclose(kept_share(student, teacher, wanted=3, kept=2), [2 / 3, 1])
    np.testing.assert_allclose(kept_share(teacher, teacher, wanted=3, kept=3), [1, 1])
    items = without_repeats(np.array([[3, 1, 3, 0, 1]], dtype=np.int32))
    assert sorted(items[0].tolist()) == [0, 0, 0, 1, 3]


@pytest.mark.slow
def test_the_student_learns_the_teachers_order() -> None:
    torch.manual_seed(0)
    log = random_log(2, users=30, items=ITEMS, events=1500, impressions=0.0)
    teacher = Bst(BstNetworkSettings(dropout=0.0), item_features(), PROFILE_COUNTS)
    with torch.no_grad():
        for name, weight in teacher.named_parameters():
            if "side_embeddings" in name or "last_age" in name or "item_embedding" in name:
                weight.normal_(std=0.7)
        teacher.layers[-1].weight *= 8
    cuts = Cuts(valid_from=START + 32_000, test_from=START + 36_000)
    samples = SampleSettings(positives=2, negatives=40)

    def trained(steps: int) -> tuple[TwoTower, float]:
        training = TrainingSettings(
            batch_size=32, max_steps=steps, evaluate_every=steps, validation_points=40, learning_rate=1e-2,
            embedding_learning_rate=1e-2, warmup_steps=5,
        )  # fmt: skip
        model, result = train_two_tower(
            teacher, log, item_features(), PROFILE_COUNTS, cuts, TwoTowerNetworkSettings(), samples, training
        )
        assert set(result.metrics) == {WATCHED}
        return model, _agreement(model, teacher)

    _, untrained = trained(1)
    _, learned = trained(120)
    assert learned > untrained + 0.2
    assert learned > 0.4
    (first, _), (again, _) = trained(20), trained(20)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def _agreement(model: TwoTower, teacher: Bst) -> float:
    """Mean rank correlation of both orders of all items, over made-up shoppers."""
    user = shoppers([5, 20, 50, 10], seed=8)
    grid = torch.arange(1, ITEMS + 1).expand(4, -1)
    with torch.no_grad():
        ranks = [
            np.argsort(np.argsort(network.grouped_logits(*user, grid).numpy(), axis=1), axis=1)
            for network in (model, teacher)
        ]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*ranks, strict=True)]))


def test_a_checkpoint_keeps_the_network_and_tells_it_from_others(tmp_path: Path) -> None:
    model = network(dimension=8, interests=2)
    features = item_features()
    record = record_of(
        "prerank",
        model.settings,
        TrainedOn("d", features.items, features.code_counts, PROFILE_COUNTS),
        seed=1,
        steps=2,
        metrics={WATCHED: 0.5},
        training={},
    )
    assert record.model == "prerank"
    saved = save_checkpoint(model, record, tmp_path / "prerank")
    loaded, _ = load_checkpoint(saved, "prerank")
    user, (items, rows) = shoppers(LENGTHS), candidates(20, len(LENGTHS))
    with torch.no_grad():
        assert torch.equal(loaded(*user, items, rows), model(*user, items, rows))
    with pytest.raises(CheckpointError, match="holds prerank, not bst"):
        load_checkpoint(saved, "bst")
