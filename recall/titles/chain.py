"""A linear-chain conditional random field over tags (Lafferty, McCallum and Pereira, ICML 2001).

A sequence y of tags scores Σ_t e_t(y_t) + Σ_t a(y_{t−1}, y_t), with e the scores that a network gives each
tag of each piece, and a learned. p(y) = exp(score(y)) / Z; Z is found by the forward recursion, the best y by
Viterbi's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from features.title_tags import CONTINUES

_NEVER = -1e4


class Chain(nn.Module):
    """Scores of tags that follow each other; a tag I-x follows B-x and I-x alone."""

    never: torch.Tensor

    def __init__(self, tags: Sequence[str]) -> None:
        """All transitions that may be score 0."""
        super().__init__()
        self.follows = nn.Parameter(torch.zeros(len(tags) + 1, len(tags)))
        continues = torch.tensor([tag.startswith(CONTINUES) for tag in tags])
        kinds = ["", *(tag[2:] for tag in tags)]
        same = torch.tensor([[bool(before) and before == tag[2:] for tag in tags] for before in kinds])
        # The last row is for the title's beginning.
        self.register_buffer("never", torch.where(continues & ~same, _NEVER, 0.0).roll(-1, 0))

    def transitions(self) -> torch.Tensor:
        """float32[K + 1, K]: of a tag (row K: the beginning) to the next."""
        return self.follows + self.never

    def loss(self, scores: torch.Tensor, tags: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Mean of −log p over the titles.

        Args:
            scores: float32[B, T, K].
            tags: int64[B, T], any where there is no piece.
            present: bool[B, T]; pieces precede what is none, and each title has one.
        """
        follows = self.transitions()
        start, follows = follows[-1], follows[:-1]
        forward = start + scores[:, 0]
        chosen = forward.gather(1, tags[:, :1])[:, 0]
        for at in range(1, scores.shape[1]):
            step = torch.logsumexp(forward[:, :, None] + follows, dim=1) + scores[:, at]
            here = present[:, at]
            forward = torch.where(here[:, None], step, forward)
            one = follows[tags[:, at - 1], tags[:, at]] + scores[:, at].gather(1, tags[:, at, None])[:, 0]
            chosen = chosen + torch.where(here, one, 0.0)
        mean: torch.Tensor = (torch.logsumexp(forward, dim=1) - chosen).mean()
        return mean

    def best(self, scores: torch.Tensor, present: torch.Tensor) -> list[list[int]]:
        """The tags of the largest score, for each title as many as it has pieces. Arguments as of `loss`."""
        follows = self.transitions()
        top = follows[-1] + scores[:, 0]
        stay = torch.arange(top.shape[1]).expand_as(top)
        back = []
        for at in range(1, scores.shape[1]):
            step, came = (top[:, :, None] + follows[:-1]).max(dim=1)
            here = present[:, at, None]
            top = torch.where(here, step + scores[:, at], top)
            back.append(torch.where(here, came, stay))
        last = top.argmax(dim=1)
        path = [last]
        for came in reversed(back):
            last = came.gather(1, last[:, None])[:, 0]
            path.append(last)
        rows = torch.stack(path[::-1], dim=1).tolist()
        return [row[:count] for row, count in zip(rows, present.sum(1).tolist(), strict=True)]
