"""A transformer block whose history can be shared by many candidates.

The block is that of Vaswani et al. 2017 (arXiv:1706.03762) with the LeakyReLU of BST
(Chen et al. 2019, arXiv:1905.06874), normalised after each sub-layer. It is written with plain matrix
products and softmax, so that every exporter and quantiser knows its operators.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

MASKED = -1e9  # finite, so that a row with nothing to attend to has a softmax without NaN


class AloneAttention(NamedTuple):
    """What histories attend to before a candidate joins them.

    query: float32[B, heads, T, d / heads]; attended: float32[B, T, heads, d / heads]; log_sum:
    float32[B, heads, T], the log of each softmax's denominator.
    """

    query: Tensor
    attended: Tensor
    log_sum: Tensor


class TransformerBlock(nn.Module):
    """Multi-head self-attention and a feed-forward layer over tokens of `dimension` floats."""

    def __init__(self, dimension: int, heads: int, feed_forward: int, dropout: float) -> None:
        """Draws new weights; `dimension` floats a token, divided among `heads`."""
        super().__init__()
        self.heads = heads
        self.width = dimension // heads
        self.scale = 1 / math.sqrt(self.width)
        self.query = nn.Linear(dimension, dimension)
        self.key = nn.Linear(dimension, dimension)
        self.value = nn.Linear(dimension, dimension)
        self.output = nn.Linear(dimension, dimension)
        self.expand = nn.Linear(dimension, feed_forward)
        self.contract = nn.Linear(feed_forward, dimension)
        self.attention_norm = nn.LayerNorm(dimension)
        self.feed_forward_norm = nn.LayerNorm(dimension)
        self.dropout = nn.Dropout(dropout)

    def _split(self, tokens: Tensor) -> Tensor:
        """[G, L, d] → [G, heads, L, d / heads]."""
        return tokens.reshape(tokens.shape[0], -1, self.heads, self.width).transpose(1, 2)

    def _merge(self, tokens: Tensor) -> Tensor:
        """[G, heads, L, d / heads] → [G, L, d]."""
        return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, self.heads * self.width)

    def _finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        return self._feed_forward(tokens + self.dropout(self.output(attended)))

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        tokens = self.attention_norm(tokens)
        fed = self.contract(functional.leaky_relu(self.expand(tokens)))
        normed: Tensor = self.feed_forward_norm(tokens + self.dropout(fed))
        return normed

    def attend(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Self-attention over whole sequences.

        tokens: float32[G, L, d]; mask: float32, broadcast to [G, 1, L, L], added to the attention scores
        (0 where a token may look, `MASKED` where not). Returns float32[G, L, d].
        """
        query, key, value = (self._split(f(tokens)) for f in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) * self.scale + mask
        return self._finish(tokens, self._merge(torch.softmax(scores, dim=-1) @ value))

    def attend_shared(self, candidates: Tensor, history: Tensor, mask: Tensor) -> Tensor:
        """Each candidate attends to a history it shares with others, and to itself.

        candidates: float32[G, C, d]; history: float32[G, S, d], the same layer's input tokens;
        mask: float32, broadcast to [G, 1, C, S]. Returns float32[G, C, d]: what `attend` gives the last token
        of the sequence history + candidate when nothing in the history looks at the candidate.
        """
        query = self._split(self.query(candidates))
        own_key, own_value = self._split(self.key(candidates)), self._split(self.value(candidates))
        key, value = self._split(self.key(history)), self._split(self.value(history))
        scores = query @ key.transpose(-1, -2) * self.scale + mask
        own_score = (query * own_key).sum(-1, keepdim=True) * self.scale
        weights = torch.softmax(torch.cat((scores, own_score), dim=-1), dim=-1)
        attended = weights[..., :-1] @ value + weights[..., -1:] * own_value
        return self._finish(candidates, self._merge(attended))

    def key_value(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values, float32[G, heads, L, d / heads] each, of tokens float32[G, L, d]."""
        return self._split(self.key(tokens)), self._split(self.value(tokens))

    def attend_alone(self, history: Tensor, mask: Tensor) -> AloneAttention:
        """Self-attention of histories float32[B, T, d], short of its output projection.

        mask: float32[B, T], added to the score of every token seen (0 or `MASKED`).
        """
        query, (key, value) = self._split(self.query(history)), self.key_value(history)
        scores = query @ key.transpose(-1, -2) * self.scale + mask[:, None, None, :]
        log_sum = torch.logsumexp(scores, dim=-1)
        attended = torch.softmax(scores, dim=-1) @ value
        return AloneAttention(query, attended.transpose(1, 2), log_sum)

    def finish_seen(self, history: Tensor, attended: Tensor, share: Tensor, value: Tensor) -> Tensor:
        """The block's output for history tokens that also see one candidate: float32[..., T, d].

        history: float32[..., T, d]; attended: float32[..., T, heads, d / heads], by the history alone;
        share: float32[..., heads, T], the weight of the candidate in each token's softmax; value:
        float32[..., heads, d / heads], the candidate's.
        """
        weight = share.transpose(-1, -2)[..., None]
        mixed = (attended + weight * (value[..., None, :, :] - attended)).flatten(-2)
        # Rows in one axis: ONNX Runtime is four times as slow at the sum and norm of a batch of sequences.
        projected = self.dropout(self.output(mixed.flatten(0, -2))).reshape(mixed.shape)
        return self._feed_forward((history + projected).flatten(0, -2)).reshape(mixed.shape)
