"""The shape of MIND, and of its dual-gate form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.settings import NetworkSettings


class MindNetworkSettings(NetworkSettings):
    """Shape of MIND (Li et al. 2019, arXiv:1904.08030)."""

    dimension: int = Field(64, ge=4, description="Width of item and interest vectors, floats.")
    interests: int = Field(4, ge=1, description="Largest number of interests of one shopper.")
    form: Literal["mind", "dual_gate"] = Field(
        "mind",
        description="mind: interests of the whole history, weighed for each target by attention; dual_gate: "
        "each joined with the newest behaviours near it by a fusion gate, the nearest chosen per target.",
    )
    short_behaviours: int = Field(
        10, ge=1, le=50, description="Newest behaviours that the short term of dual_gate is made of."
    )
    separation: float = Field(
        0.0,
        ge=0,
        description="Weight in the loss of the sum of products between a shopper's interests, which keeps "
        "them apart; no unit.",
    )
    routing_iterations: int = Field(3, ge=1, description="Iterations of behaviour-to-interest routing.")
    power: float = Field(
        2.0,
        ge=0,
        description="Power p of label-aware attention: 0 weighs all interests alike, large picks one.",
    )
    temperature: float = Field(
        0.07, gt=0, description="Cosines are divided by this before the softmax; no unit."
    )
    min_item_users: int = Field(
        1,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    shared_negatives: int = Field(
        2048, ge=1, description="Negatives drawn for one batch and shared by its samples, items."
    )
    negative_power: float = Field(
        0.75, ge=0, description="Negatives are drawn ∝ (frequency + smoothing)^power."
    )
    negative_smoothing: float = Field(
        1.0, gt=0, description="Added to each item's frequency, so that items without events are drawn too."
    )
