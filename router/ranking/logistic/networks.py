"""Small networks of the last layer: what of the takes its regression, a weighted sum, cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Float32 = NDArray[np.float32]


class NetworkLayer(BaseModel):
    """One layer of k networks."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    weights: tuple[tuple[tuple[float, ...], ...], ...] = Field(description="[k][inputs][outputs]")
    bias: tuple[tuple[float, ...], ...] = Field(description="[k][outputs]")

    @model_validator(mode="after")
    def _as_long(self) -> NetworkLayer:
        weights, bias = _array(self.weights), _array(self.bias)
        if weights.ndim != 3 or bias.shape != (weights.shape[0], weights.shape[2]):
            raise ValueError(f"weights of shape {weights.shape} with a bias of shape {bias.shape}")
        return self


class NetworkPart(BaseModel):
    """k networks, max(0, x) between their layers; the mean of their outputs is added to the log-odds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    share: float = Field(default=0.0, ge=0, le=1, description="What their mean counts; 0: there are none.")
    layers: tuple[NetworkLayer, ...] = Field(default=(), description="From the inputs to one output.")

    @model_validator(mode="after")
    def _fit_together(self) -> NetworkPart:
        shapes = [_array(layer.weights).shape for layer in self.layers]
        if any(before[0] != after[0] or before[2] != after[1] for before, after in pairwise(shapes)):
            raise ValueError(f"layers of the shapes {shapes} do not follow one another")
        if bool(shapes) != bool(self.share) or (shapes and shapes[-1][2] != 1):
            raise ValueError("networks end with one output, and have a share above 0")
        return self

    @property
    def width(self) -> int | None:
        """Inputs that they read; None where there are none."""
        return len(self.layers[0].weights[0]) if self.layers else None


@dataclass(frozen=True, slots=True)
class Networks:
    """The layers of k networks as arrays: of each float32[k, inputs, outputs] and float32[k, 1, outputs].

    The first layer of all networks is one product, since they read the same rows.
    """

    share: float
    layers: tuple[tuple[Float32, Float32], ...]

    @classmethod
    def of(cls, part: NetworkPart) -> Networks | None:
        """Those of what was learned; None where there are none."""
        if not part.layers:
            return None
        return cls(
            part.share, tuple((_array(each.weights), _array(each.bias)[:, None]) for each in part.layers)
        )

    def part(self) -> NetworkPart:
        """What is written; every float32 is the same when it is read again."""
        layers = [
            NetworkLayer.model_validate({"weights": _decimals(weights), "bias": _decimals(bias[:, 0])})
            for weights, bias in self.layers
        ]
        return NetworkPart(share=self.share, layers=tuple(layers))

    def log_odds(self, scaled: Float32) -> Float32:
        """float32[n], what is added to the log-odds of scaled inputs float32[n, F]: share × mean."""
        return np.float32(self.share) * np.asarray(self.outputs(scaled).mean(axis=0), np.float32)

    def outputs(self, scaled: Float32) -> Float32:
        """float32[k, n], of each network."""
        (first, bias), *further = self.layers
        count, width, hidden = first.shape
        joined = scaled @ first.transpose(1, 0, 2).reshape(width, count * hidden)
        values = np.ascontiguousarray(joined.reshape(-1, count, hidden).transpose(1, 0, 2)) + bias
        for weights, bias in further:
            values = np.maximum(values, 0, out=values) @ weights + bias
        return values[..., 0]


def _decimals(values: Float32) -> list[Any]:
    """The shortest decimals of each that are read as the same float32."""
    return list(values.astype(str).astype(np.float64).tolist())


def _array(values: Sequence[object]) -> Float32:
    return np.array(values, np.float32)
