"""The small network that names categories: its parts fit, and its head learns from maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.category_network import SIDES, CategoryNetwork
from models.category_training import LabelledMaps, train_head

pytestmark = pytest.mark.slow
CLASSES = 3


def test_a_head_learns_from_maps_and_fits_its_trunk() -> None:
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    classes = np.arange(256, dtype=np.int64) % CLASSES
    fine = random.standard_normal((256, 112, 8, 6)).astype(np.float16)
    coarse = random.standard_normal((256, 192, 4, 3)).astype(np.float16)
    fine[np.arange(256), classes] += 3
    losses: list[float] = []
    head = train_head(
        LabelledMaps(fine, coarse, classes), CLASSES, 25, 1, lambda done, loss: losses.append(loss)
    )
    assert losses[-1] < losses[0]
    with torch.no_grad():
        named = head(*(torch.from_numpy(maps.astype(np.float32)) for maps in (fine, coarse))).argmax(dim=1)
        network = CategoryNetwork(CLASSES).eval()
        network.head = head
        logits = network(torch.zeros((2, *SIDES, 3), dtype=torch.uint8))
    assert (named.numpy() == classes).mean() > 0.9
    assert logits.shape == (2, CLASSES)
