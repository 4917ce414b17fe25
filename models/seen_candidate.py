"""The original BST, exactly, with what does not depend on the candidate computed once per shopper.

In the paper's form (Chen et al. 2019, arXiv:1905.06874) every history token also attends to the candidate. In
the first block that is one more key per token. Let `a` be what a token gathers from the history alone and `l`
the log of its softmax's denominator. With one more key of score `s` and value `v` the softmax becomes:

    (exp(l)·a + exp(s)·v) / (exp(l) + exp(s)) = a + sigmoid(s − l)·(v − a)

So queries, keys, values, scores, `a` and `l` are computed once per shopper, and per candidate only `s`, the
mixture, the output projection and the feed-forward layer on T + 1 tokens. From the second block on every
token depends on the candidate, and nothing is left to share.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.transformer import MASKED, TransformerBlock


def encode_grouped(
    blocks: Sequence[TransformerBlock], tokens: Tensor, present: Tensor, candidates: Tensor
) -> tuple[Tensor, Tensor]:
    """C candidates for each of G histories: the form training uses.

    tokens: float32[G, T, d]; present: float32[G, T], 0 at padding; candidates: float32[G, C, d]. Returns the
    last block's outputs: of the histories, float32[G, C, T, d], and of the candidates, float32[G, C, d].
    """
    first, *rest = blocks
    mask = (1 - present) * MASKED
    alone = first.attend_alone(tokens, mask)
    key, value = first.key_value(candidates)
    scores = key @ alone.query.transpose(-1, -2) * first.scale
    own = first.attend_shared(candidates, tokens, mask[:, None, None, :])
    history = first.finish_seen(
        tokens[:, None],
        alone.attended[:, None],
        torch.sigmoid(scores.transpose(1, 2) - alone.log_sum[:, None]),
        value.transpose(1, 2),
    )
    return _further_blocks(rest, history, own, present[:, None].expand(-1, candidates.shape[1], -1))


def encode_rows(
    blocks: Sequence[TransformerBlock], tokens: Tensor, present: Tensor, candidates: Tensor, row: Tensor
) -> tuple[Tensor, Tensor]:
    """Candidates (n) that name their histories: the form serving uses.

    tokens: float32[B, T, d]; present: float32[B, T]; candidates: float32[n, d]; row: int64[n]. Returns the
    last block's outputs: of the histories, float32[n, T, d], and of the candidates, float32[n, d].

    Candidates meet all B histories in one matrix product and keep their own's scores.
    """
    first, *rest = blocks
    batch, length, width = tokens.shape
    alone = first.attend_alone(tokens, (1 - present) * MASKED)
    key, value = first.key_value(candidates[None])
    scores = key @ alone.query.transpose(-1, -2) * first.scale
    position = torch.arange(row.shape[0], device=row.device)
    visible = (row[:, None] == torch.arange(batch, device=row.device))[:, :, None] & (present > 0)
    mask = (1 - visible.reshape(1, 1, -1, batch * length).float()) * MASKED
    own = first.attend_shared(candidates[None], tokens.reshape(1, -1, width), mask).squeeze(0)
    history = first.finish_seen(
        tokens[row],
        alone.attended[row],
        torch.sigmoid(scores.transpose(1, 2)[row, position] - alone.log_sum[row]),
        value.squeeze(0).transpose(0, 1),
    )
    return _further_blocks(rest, history, own, present[row])


def _further_blocks(
    blocks: Sequence[TransformerBlock], history: Tensor, own: Tensor, present: Tensor
) -> tuple[Tensor, Tensor]:
    """Whole sequences through blocks that share nothing; history: [..., T, d], own: [..., d]."""
    if not blocks:
        return history, own
    shape = history.shape
    sequence = torch.cat((history, own[..., None, :]), dim=-2).reshape(-1, shape[-2] + 1, shape[-1])
    visible = torch.cat((present, torch.ones_like(present[..., :1])), dim=-1).reshape(-1, shape[-2] + 1)
    mask = ((1 - visible) * MASKED)[:, None, None, :]
    for block in blocks:
        sequence = block.attend(sequence, mask)
    return sequence[:, :-1].reshape(shape), sequence[:, -1].reshape(own.shape)
