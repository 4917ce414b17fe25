"""A transformer block as two plain matrix products, for heads so narrow that one product each is slow.

All heads' keys stand in one block-diagonal matrix, so a query of d floats meets them in one product, and the
scores come out as [rows, heads, T + 1] without a transposition. The last column of each head is the row's
score with itself, which travels beside the query; a last float, always 1, picks the mask up. Values are
multiplied by the output projection beforehand, once per history token, so the second product gives the
attention's output. The answer is that of `models.transformer.TransformerBlock`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.transformer import MASKED, TransformerBlock


class Rows(NamedTuple):
    """Tokens that attend to a history and to themselves.

    query: float32[m, d + heads + 1]: the scaled query, the score with itself by head, and a 1;
    value: float32[m, d]; residual: float32[m, d], the token plus the bias of the output projection.
    """

    query: Tensor
    value: Tensor
    residual: Tensor


class SharedHistory(NamedTuple):
    """A block's history, as the candidates of B shoppers meet it.

    keys: float32[B, heads·(T + 1), d + heads + 1]; values: float32[B, heads·(T + 1), d], projected.
    """

    keys: Tensor
    values: Tensor


def rows_of(block: TransformerBlock, tokens: Tensor) -> Rows:
    """What tokens float32[m, d] need in order to attend."""
    query = block.query(tokens) * block.scale
    own = (query * block.key(tokens)).unflatten(-1, (block.heads, block.width)).sum(-1)
    query = torch.cat((query, own, torch.ones_like(own[..., :1])), dim=-1)
    return Rows(query, block.value(tokens), tokens + block.output.bias)


class BlockAttention(nn.Module):
    """One `TransformerBlock`, its weights laid out once when this is made.

    History tokens come with one float more: 1 where there is no event, else 0.
    """

    key_map: Tensor
    key_bias: Tensor
    value_map: Tensor
    value_bias: Tensor
    query_map: Tensor
    query_bias: Tensor
    own_key: Tensor
    own_value: Tensor
    by_head: Tensor
    output: Tensor

    def __init__(self, block: TransformerBlock) -> None:
        """Rearranges the weights of a trained block."""
        super().__init__()
        self.block = block
        self.heads = heads = block.heads
        self.dimension = dimension = heads * block.width
        by_head = torch.eye(heads).repeat_interleave(block.width, 1)
        key = torch.zeros(dimension + 2, heads, dimension + heads + 1)
        value = torch.zeros(dimension + 2, heads, dimension)
        query = torch.zeros(dimension + 2, dimension + heads + 1)
        absent = -2  # rows: the token's floats, whether there is no event, the bias
        key[..., :dimension] = _with_bias(block.key)[:, None] * by_head
        key[absent, :, -1] = MASKED
        project = block.output.weight.t().unflatten(0, (heads, -1))
        values = _with_bias(block.value).unflatten(1, (heads, -1))
        value[:] = torch.einsum("ihw,hwo->iho", values, project)
        query[:, :dimension] = _with_bias(block.query) * block.scale
        # A history token is among the keys already: it must not meet itself a second time.
        query[-1, dimension:-1] = MASKED
        query[-1, -1] = 1
        self._keep("key_map", key[:-1].flatten(1))
        self._keep("key_bias", key[-1].flatten())
        self._keep("value_map", value[:-1].flatten(1))
        self._keep("value_bias", value[-1].flatten())
        self._keep("query_map", query[:-1])
        self._keep("query_bias", query[-1])
        self._keep("own_key", functional.pad(torch.eye(heads), (dimension, 1))[:, None])
        self._keep("own_value", torch.zeros(heads, 1, dimension))
        self._keep("by_head", by_head)
        self._keep("output", block.output.weight.t())

    def _keep(self, name: str, constant: Tensor) -> None:
        self.register_buffer(name, constant.detach().contiguous(), persistent=False)

    def share(self, history: Tensor) -> SharedHistory:
        """What `encode` needs of histories float32[B, T, d + 1]."""
        flat = history.flatten(0, 1)
        key = torch.addmm(self.key_bias, flat, self.key_map)
        value = torch.addmm(self.value_bias, flat, self.value_map)
        return SharedHistory(
            self._by_head(key, history, self.own_key), self._by_head(value, history, self.own_value)
        )

    def _by_head(self, flat: Tensor, history: Tensor, own: Tensor) -> Tensor:
        """float32[B, heads·(T + 1), w] of float32[B·T, heads·w]; own: float32[heads, 1, w], the last rows."""
        batch, length, _ = history.shape
        by_head = flat.reshape(batch, length, self.heads, -1).transpose(1, 2)
        return torch.cat((by_head, own.expand(batch, -1, -1, -1)), dim=2).flatten(1, 2)

    def encode(self, rows: Rows, history: SharedHistory) -> Tensor:
        """The block's output, float32[m, d], of rows that stand side by side, m / B for each shopper."""
        gathered, weights = self._attend(rows.query, history)
        own = (weights[..., -1].flatten(0, 1) @ self.by_head) * rows.value
        return self._feed_forward(torch.addmm(rows.residual + gathered, own, self.output))

    def encode_history(self, tokens: Tensor, history: SharedHistory) -> Tensor:
        """The block's output for the history itself, float32[B, T, d]; tokens: float32[B, T, d + 1]."""
        flat = tokens.flatten(0, 1)
        gathered, _ = self._attend(torch.addmm(self.query_bias, flat, self.query_map), history)
        residual = flat[:, :-1] + self.block.output.bias
        encoded: Tensor = self._feed_forward(residual + gathered).unflatten(0, tokens.shape[:2])
        return encoded

    def _attend(self, query: Tensor, history: SharedHistory) -> tuple[Tensor, Tensor]:
        """What the history gives, float32[m, d], and the weights float32[B, m / B, heads, T + 1]."""
        shoppers = history.keys.shape[0]
        scores = query.unflatten(0, (shoppers, -1)) @ history.keys.transpose(1, 2)
        weights = torch.softmax(scores.unflatten(-1, (self.heads, -1)), dim=-1)
        return (weights.flatten(2) @ history.values).flatten(0, 1), weights

    def _feed_forward(self, tokens: Tensor) -> Tensor:
        tokens = self.block.attention_norm(tokens)
        fed = self.block.contract(functional.leaky_relu(self.block.expand(tokens)))
        normed: Tensor = self.block.feed_forward_norm(tokens + fed)
        return normed


def _with_bias(layer: nn.Linear) -> Tensor:
    """float32[in + 2, out]: the layer's weights, a row of zeros, and its bias."""
    weight = layer.weight.detach().t()
    return torch.cat((weight, torch.zeros_like(weight[:1]), layer.bias.detach()[None]))
