"""The embedding with a branch beside the trunk: what is mined, and what the branch adds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.visnet_network import COLOURS, SMALL, Beside, Pictures, ShallowBranch, VisNet
from benchmarks.visnet_training import Loss, mine, train, vectors
from vision.fit_space import fit_space

torch = pytest.importorskip("torch")

PRODUCTS, SHAPES, EACH = 12, 4, 10


def unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


def pictures(products: np.ndarray, seed: int, noise: float = 0.4) -> Pictures:
    """Three products of each shape: the trunk's features tell shapes alone, small pictures colours alone."""
    random = np.random.default_rng(seed)
    shapes = products // (PRODUCTS // SHAPES)
    deep = np.eye(SHAPES, 32)[shapes] + noise * random.standard_normal((len(products), 32)) / 4
    colour = np.eye(3)[products % 3] * 150 + 50
    small = np.clip(colour[:, None, None] + random.normal(0, 25, (len(products), SMALL, SMALL, 3)), 0, 255)
    bins = np.eye(3, COLOURS)[products % 3] + 0.05
    return Pictures(
        unit(deep), small.astype(np.uint8), unit(bins), unit(np.ones((len(products), 4))), products, shapes
    )


def found(network: VisNet, asked: Pictures, shown: Pictures) -> float:
    nearest = (vectors(network, asked) @ vectors(network, shown).T).argmax(axis=1)
    return float((shown.products[nearest] == asked.products).mean())


@pytest.mark.parametrize("loss", ["triplets", "proxies"])
def test_what_is_beside_the_trunk_tells_what_the_trunk_cannot(loss: Loss) -> None:
    catalogue = pictures(np.arange(PRODUCTS), 0)
    photos, others = (pictures(np.repeat(np.arange(PRODUCTS), EACH), seed) for seed in (1, 2))
    start = fit_space(photos.deep, 16, 1)
    shares: dict[Beside, float] = {}
    for beside in ("nothing", "shallow", "colours"):
        torch.manual_seed(1)
        network = VisNet(start, beside)
        train(network, loss, photos, catalogue, 1, steps=40, batch=32)
        shares[beside] = found(network, others, catalogue)
    assert shares["nothing"] < 0.55
    assert shares["shallow"] > 0.9
    assert shares["colours"] > shares["nothing"] + 0.1


def test_vectors_have_length_one_and_do_not_depend_on_what_is_beside_them_in_a_batch() -> None:
    photos = pictures(np.arange(PRODUCTS), 3)
    network = VisNet(fit_space(photos.deep, 8, 1), "shallow").eval()
    with torch.no_grad():
        network.beside.normal_()
    made = vectors(network, photos)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    alone = vectors(network, photos.take(np.array([5])))
    assert alone[0] == pytest.approx(made[5], abs=1e-5)


def test_the_shallow_branch_sees_colours() -> None:
    branch = ShallowBranch().eval()
    red, blue = (torch.zeros((1, SMALL, SMALL, 3), dtype=torch.uint8) for _ in range(2))
    red[..., 0], blue[..., 2] = 200, 200
    with torch.no_grad():
        a, b = branch(red), branch(blue)
    assert a.shape == (1, branch.width)
    assert torch.linalg.norm(a - b) > 0.1


def test_negatives_are_wrong_ones_of_the_own_class_and_of_others() -> None:
    shown = pictures(np.arange(PRODUCTS), 0)
    asked = pictures(np.repeat(np.arange(PRODUCTS), 2), 1)
    mined = mine(asked, shown)
    for row, (near, far) in enumerate(zip(mined.in_class, mined.cross_class, strict=True)):
        near, far = near[near >= 0], far[far >= 0]
        assert set(shown.classes[near]) == {asked.classes[row]}
        assert asked.products[row] not in shown.products[near]
        assert asked.classes[row] not in shown.classes[far]
        assert len(far)
    # A product that is alone in its class has no in-class negative.
    alone = shown.take(np.arange(0, PRODUCTS, PRODUCTS // SHAPES))
    assert (mine(alone, alone).in_class == -1).all()


def test_a_set_asked_of_itself_takes_no_picture_for_itself() -> None:
    pairs = pictures(np.repeat(np.arange(PRODUCTS), 2), 4)
    single = pictures(np.array([PRODUCTS - 1, 0, 0]), 5)
    network = VisNet(fit_space(pairs.deep, 8, 1), "nothing")
    train(network, "proxies", pairs, pairs, 1, itself=True, steps=2)
    assert not network.training
    from benchmarks.visnet_training import DrawnPairs

    drawn = DrawnPairs(single, single, True, 1)
    assert drawn.usable.tolist() == [1, 2]
    rows = drawn.rows()
    assert (drawn.right(rows) == 3 - rows).all()
