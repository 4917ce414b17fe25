"""Multi-head attention as two plain matrix products, for heads so narrow that one product each is slow.

All heads' keys stand in one block-diagonal matrix, so a query of d floats meets them in one product, and
the scores come out as [rows, heads, T + 1] without a transposition. The last column of each head is the row's
score with itself, which travels beside the query; a row of ones picks the mask up. Values are multiplied by
the output projection beforehand, once per history token, so the second product gives the attention's output.

The scores and softmax are those of Vaswani et al. 2017 (arXiv:1706.03762), exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from models.transformer import MASKED, TransformerBlock


class AttendedHistory(NamedTuple):
    """A block's history, as candidates of B shoppers meet it.

    keys: float32[B, d + heads + 1, heads·(T + 1)]; values: float32[B, heads·(T + 1), d], projected.
    """

    keys: Tensor
    values: Tensor


def item_query(block: TransformerBlock, tokens: Tensor) -> Tensor:
    """float32[m, d + heads + 1] of tokens float32[m, d]: scaled query, score with itself by head, and a 1."""
    query = block.query(tokens) * block.scale
    own = (query * block.key(tokens)).unflatten(-1, (block.heads, block.width)).sum(-1)
    return torch.cat((query, own, torch.ones_like(own[..., :1])), dim=-1)


def attended_history(block: TransformerBlock, tokens: Tensor, present: Tensor) -> AttendedHistory:
    """What `attend` needs of histories; tokens: float32[B, T, d], present: float32[B, T], 0 at padding."""
    heads, width = block.heads, block.width
    batch, length, dimension = tokens.shape
    by_head = torch.eye(heads, device=tokens.device)
    key = block.key(tokens).transpose(1, 2).reshape(batch, heads, width, 1, length)
    scored = (key * by_head[:, None, :, None]).reshape(batch, dimension, heads, length)
    scored = functional.pad(scored, (0, 1))
    own = functional.pad(by_head[:, :, None], (length, 0)).expand(batch, -1, -1, -1)
    mask = functional.pad((1 - present) * MASKED, (0, 1))[:, None, None, :]
    keys = torch.cat((scored, own, mask.expand(-1, -1, heads, -1)), dim=1)
    project = block.output.weight.transpose(0, 1).reshape(heads, width, dimension)
    value = block.value(tokens).unflatten(-1, (heads, width)).transpose(1, 2)
    values = functional.pad(value @ project, (0, 0, 0, 1))
    return AttendedHistory(keys.flatten(2), values.flatten(1, 2))


def attend(block: TransformerBlock, query: Tensor, history: AttendedHistory) -> tuple[Tensor, Tensor]:
    """Attention of rows to a history and to themselves.

    query: float32[B, C, d + heads + 1]. Returns what the history gives, projected, float32[B·C, d], and the
    weight of each row's own value by head, float32[B·C, heads].
    """
    scores = query @ history.keys
    weights = torch.softmax(scores.unflatten(-1, (block.heads, -1)), dim=-1)
    gathered = weights.flatten(2) @ history.values
    return gathered.flatten(0, 1), weights[..., -1].flatten(0, 1)


def own_value(block: TransformerBlock, weight: Tensor, value: Tensor) -> Tensor:
    """What rows gather from themselves, projected without bias, float32[m, d].

    weight: float32[m, heads], as `attend` gives it; value: float32[m, d].
    """
    spread = torch.eye(block.heads, device=weight.device).repeat_interleave(block.width, 1)
    return (weight @ spread * value) @ block.output.weight.transpose(0, 1)


def encode_history(block: TransformerBlock, tokens: Tensor, history: AttendedHistory) -> Tensor:
    """The block's output for the history itself, float32[B, T, d]; tokens: float32[B, T, d], its input."""
    query = block.query(tokens) * block.scale
    # A token stands among the history's keys already: it must not meet itself a second time.
    itself = functional.pad(torch.full_like(query[..., : block.heads], MASKED), (0, 1), value=1.0)
    gathered, _ = attend(block, torch.cat((query, itself), dim=-1), history)
    fed = feed_forward(block, tokens.flatten(0, 1) + block.output.bias + gathered)
    return fed.unflatten(0, tokens.shape[:2])


def feed_forward(block: TransformerBlock, tokens: Tensor) -> Tensor:
    """The rest of the block, float32[m, d] of tokens float32[m, d] that hold attention and residual."""
    tokens = block.attention_norm(tokens)
    fed = block.contract(functional.leaky_relu(block.expand(tokens)))
    normed: Tensor = block.feed_forward_norm(tokens + fed)
    return normed
