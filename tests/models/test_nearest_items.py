"""The items nearest to shoppers are the same, whether all are scored at once or part by part."""

import numpy as np
import pytest
import torch

from models import nearest_items as module
from models.nearest_items import nearest_items


def brute_force(interests: torch.Tensor, vectors: torch.Tensor, k: int) -> list[list[int]]:
    """By the best of the active interests alone, item by item."""
    found = []
    for shopper in interests:
        active = [interest for row, interest in enumerate(shopper) if row == 0 or interest.abs().sum() > 0]
        scores = torch.stack([vectors @ interest for interest in active]).amax(dim=0)
        found.append(sorted(range(1, len(vectors)), key=lambda item: -float(scores[item]))[:k])
    return found


@pytest.mark.parametrize("at_once", [1, 7, 39, 40, 41, 131_072])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_parts_do_not_change_what_is_nearest(at_once: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(3)
    vectors = torch.nn.functional.normalize(torch.randn((41, 6), generator=random), dim=1)
    vectors[0] = 0
    interests = torch.nn.functional.normalize(torch.randn((4, 3, 6), generator=random), dim=2)
    interests[1, 1:] = 0
    monkeypatch.setattr(module, "_ITEMS_AT_ONCE", at_once)
    found = nearest_items(interests, vectors, k)
    assert found.shape == (4, min(k, 40))
    np.testing.assert_array_equal(found, brute_force(interests, vectors, k))
