"""The chain of tags: its sum over all sequences and its best one, against every sequence written out."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from features.title_tags import tag_fault
from recall.titles.chain import Chain

TAGS = ["B-a", "B-b", "I-a", "I-b", "O"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_it_sums_over_every_sequence_and_finds_the_best(seed: int, first: int, second: int) -> None:
    random = torch.Generator().manual_seed(seed)
    chain = Chain(TAGS)
    with torch.no_grad():
        chain.follows.copy_(torch.randn(chain.follows.shape, generator=random))
    scores = torch.randn((2, max(first, second), len(TAGS)), generator=random)
    present = torch.arange(scores.shape[1]) < torch.tensor([[first], [second]])
    losses, best = [], []
    with torch.no_grad():
        tags = torch.tensor([list(_sequences(scores.shape[1])[seed % 3])] * 2)
        follows = chain.transitions().numpy()
        for row, length in enumerate((first, second)):
            one = scores[row].numpy()
            total = {
                path: sum(one[at, tag] + follows[(-1, *path)[at], tag] for at, tag in enumerate(path))
                for path in _sequences(length)
            }
            given_path = tuple(tags[row, :length].tolist())
            losses.append(np.log(np.sum(np.exp(list(total.values())))) - total[given_path])
            best.append(list(max(total, key=lambda path: total[path])))
        np.testing.assert_allclose(float(chain.loss(scores, tags, present)), np.mean(losses), rtol=1e-4)
        assert chain.best(scores, present) == best


def _sequences(length: int) -> list[tuple[int, ...]]:
    """All sequences of tags without a fault."""
    every = product(range(len(TAGS)), repeat=length)
    return [path for path in every if tag_fault([TAGS[tag] for tag in path]) is None]
