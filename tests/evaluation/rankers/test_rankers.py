"""Every batch ranker learns what there is to learn, and the losses are what their papers say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from evaluation.rankers import id_network, mlp
from evaluation.rankers.hard_negatives import HardNegatives
from evaluation.rankers.log_examples import LogSizes, log_examples
from evaluation.rankers.registry import RANKERS
from evaluation.rankers.search_examples import NAMES, search_examples
from models.rankers import losses
from models.rankers.examples import Ranges
from models.rankers.measure import mean_ndcg
from testing.synthetic_shop import synthetic_dataset
from tests.evaluation.rankers.planted import ranges

OF_FEATURES = [name for name, kind in RANKERS.items() if not kind.ids]
OF_IDS = [name for name, kind in RANKERS.items() if kind.ids]


@pytest.fixture(scope="module")
def planted() -> Ranges:
    return ranges()


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_FEATURES)
def test_a_ranker_of_features_learns_what_is_planted(
    planted: Ranges, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlp, "TRAINING", mlp.TRAINING.model_copy(update={"max_steps": 160}))
    scores = RANKERS[name].fit(planted, 1)
    assert mean_ndcg(planted.test, scores(planted.test)) > 0.8
    assert mean_ndcg(planted.test, np.zeros(planted.test.grades.size)) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random forest", "LambdaMART", "MLP, softmax"])
def test_the_same_seed_gives_the_same_ranker(
    planted: Ranges, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlp, "TRAINING", mlp.TRAINING.model_copy(update={"max_steps": 20}))
    one, other = (RANKERS[name].fit(planted, 1)(planted.test) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_polynomial_finds_a_product_that_a_line_cannot() -> None:
    curved = ranges(product=True)
    found = {
        name: mean_ndcg(curved.test, RANKERS[name].fit(curved, 1)(curved.test))
        for name in ("LR, L2", "polynomial, by correlation")
    }
    assert found["polynomial, by correlation"] > 0.85
    assert found["LR, L2"] < 0.65


def test_losses_are_those_of_their_papers() -> None:
    scores = torch.tensor([[2.0, 0.5, -1.0, 9.0]], requires_grad=True)
    grades = torch.tensor([[0.0, 1.0, 0.0, 3.0]])
    present = torch.tensor([[True, True, True, False]])
    # The only pairs are (1, 0) and (1, 2); the last cell is no candidate.
    pairs = [np.log1p(np.exp(2.0 - 0.5)), np.log1p(np.exp(-1.0 - 0.5))]
    assert float(losses.rank_net(scores, grades, present).detach()) == pytest.approx(np.mean(pairs), rel=1e-6)
    # Places: 0 first, 1 second, 2 third. NDCG's ideal is 1; a swap changes it by the discounts' difference.
    weights = [1 - 1 / np.log2(3), 1 / np.log2(3) - 1 / 2]
    expected = np.mean([weight * pair for weight, pair in zip(weights, pairs, strict=True)])
    assert float(losses.lambda_rank(scores, grades, present).detach()) == pytest.approx(expected, rel=1e-5)
    total = np.log(np.exp([2.0, 0.5, -1.0]).sum())
    assert float(losses.softmax(scores, grades, present).detach()) == pytest.approx(total - 0.5, rel=1e-5)
    for loss in (losses.rank_net, losses.lambda_rank, losses.softmax):
        (gradient,) = torch.autograd.grad(loss(scores, grades, present), scores)
        assert gradient[0, 1] < 0 < gradient[0, 0]
        assert gradient[0, 3] == 0


def test_a_pair_counts_what_its_better_candidate_does() -> None:
    scores = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 0.0]])
    grades = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    present = torch.tensor([[True, True, True], [True, True, False]])
    # The worse candidates' weights say nothing.
    weights = torch.tensor([[7.0, 3.0, 0.0], [1.0, 5.0, 9.0]])
    pairs = [np.log1p(np.exp(2.0 - 0.5)), np.log1p(np.exp(-1.0 - 0.5)), np.log1p(np.exp(1.0))]
    expected = np.average(pairs, weights=[3, 3, 1])
    assert float(losses.rank_net(scores, grades, present, weights)) == pytest.approx(expected, rel=1e-6)
    alike = losses.rank_net(scores, grades, present, torch.full((2, 3), 0.2))
    assert float(alike) == pytest.approx(float(losses.rank_net(scores, grades, present)), rel=1e-6)
    assert float(losses.rank_net(scores, grades, present, torch.zeros(2, 3))) == 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Ranges:
    dataset = synthetic_dataset(tmp_path_factory.mktemp("rankers"), users=80, items=120, events=4_000)
    return log_examples(dataset, LogSizes(300, 60, 60, 2, 8, 12), seed=1)


@pytest.mark.slow
def test_examples_of_a_log(shop: Ranges) -> None:
    for part in (shop.train, shop.valid, shop.test):
        assert part.labelled is not None
        assert part.inputs.shape == (part.grades.size, len(shop.names))
        assert np.isfinite(part.inputs).all()
        assert part.grades.size == np.count_nonzero(part.labelled.items)
        assert set(part.grades) == {0, 1}
        assert np.add.reduceat(part.grades, part.offsets[:-1]).min() >= 1
    assert shop.train.labelled is not None
    assert shop.test.labelled is not None
    assert shop.train.labelled.points.now.max() < shop.test.labelled.points.now.min()


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_IDS)
def test_a_network_of_ids_learns(shop: Ranges, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = id_network.TRAINING.model_copy(
        update={"max_steps": 40, "evaluate_every": 40, "batch_size": 32, "max_epochs": 20, "warmup_steps": 5}
    )
    monkeypatch.setattr(id_network, "TRAINING", quick)
    scores = RANKERS[name].fit(shop, 1)(shop.test)
    assert scores.shape == shop.test.grades.shape
    assert np.isfinite(scores).all()
    chance = mean_ndcg(shop.test, np.zeros(shop.test.grades.size))
    assert mean_ndcg(shop.test, scores) > chance + 0.05


def test_networks_of_ids_refuse_examples_without_shoppers(planted: Ranges) -> None:
    for name in OF_IDS:
        with pytest.raises(ValueError, match="no ids to learn"):
            RANKERS[name].fit(planted, 1)


def test_searches_share_no_query_and_texts_that_fit_score_more() -> None:
    queries = [
        f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("lamps", "chair", "rug")
    ]
    judged = pl.DataFrame(
        [
            (query, title, text, grade)
            for query in queries
            for title, text, grade in (
                (f"Fine {query[:-1] if query.endswith('s') else query}", f"A {query} for the home", 4),
                (f"{query.split()[0]} paint", None, 2),
                ("Kettle", "Boils water", 1),
            )
        ],
        ["query", "product_title", "product_description", "median_relevance"],
        orient="row",
    )
    folds = search_examples(judged, seed=1)
    tested = [unit for fold in folds for unit in fold.test.unit.tolist()]
    assert sorted(tested) == list(range(len(queries)))
    for fold in folds:
        units = [set(part.unit.tolist()) for part in (fold.train, fold.valid, fold.test)]
        assert not units[0] & units[1] | units[0] & units[2] | units[1] & units[2]
        assert np.isfinite(fold.train.inputs).all()
        assert fold.train.inputs.shape[1] == len(NAMES)
        for name in ("title.bm25", "title.cosine", "title.trigrams", "title.share", "title.phrase"):
            column = fold.train.inputs[:, NAMES.index(name)]
            assert column[fold.train.grades == 3].min() > column[fold.train.grades == 0].max()


@pytest.mark.slow
def test_hard_negatives_are_those_that_score_high(shop: Ranges) -> None:
    class ByItem:
        """Scores an item by its number."""

        training = False

        def eval(self) -> None: ...

        def train(self, mode: bool) -> None: ...

        def grouped_logits(self, *inputs: torch.Tensor) -> torch.Tensor:
            return inputs[-1].float()

    assert shop.train.labelled is not None
    assert shop.spare is not None
    assert shop.log is not None
    rows = np.arange(40)
    points, spare = shop.train.labelled.points.select(rows), shop.spare[rows]
    taken = [set(points.taken_items[slice(*points.taken_offsets[row : row + 2])].tolist()) for row in rows]
    drawn = {
        sharpness: HardNegatives(sharpness=sharpness).draw(
            ByItem(),  # type: ignore[arg-type]
            shop.log,
            points,
            spare,
            10,
            np.random.default_rng(0),
        )
        for sharpness in (0.0, 100.0)
    }
    for found in drawn.values():
        assert found.shape == (40, 10)
        for row, items in enumerate(found):
            assert not taken[row] & set(items.tolist())
            assert set(items.tolist()) <= set(spare[row].tolist())
    best = -np.sort(-spare, axis=1)[:, :10]
    np.testing.assert_array_equal(-np.sort(-drawn[100.0], axis=1), best)
    assert drawn[0.0].mean() < best.mean() - 10
