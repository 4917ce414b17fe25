"""Settings of matrix_factors, shared by its offline and its online side."""

from __future__ import annotations

from pydantic import Field

from recall.channel import OptionalChannelSettings
from recall.evidence import EvidenceSettings
from recall.vector_index import VectorIndexSettings


class MatrixFactorsSettings(EvidenceSettings, OptionalChannelSettings, VectorIndexSettings):
    """Factors of items and shoppers whose product predicts what a shopper takes (implicit ALS)."""

    step_scale: float = Field(
        default=20.0,
        gt=0,
        description="σ in an item's weight exp(−steps / σ): steps are the distinct moments at which the "
        "shopper did something after it last, so items of one receipt count alike.",
    )
    factors: int = Field(default=64, ge=2, le=512, description="Length of each item's factors.")
    regularisation: float = Field(default=0.05, gt=0, description="λ, added to the diagonal of each solve.")
    confidence: float = Field(
        default=10.0, gt=0, description="α: how much more an item taken counts than one not taken."
    )
    popularity_exponent: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Power of an item's shoppers by which its weight is divided; 0 lets bestsellers lead.",
    )
    iterations: int = Field(default=15, ge=1, le=1_000, description="Rounds of training.")
    items_per_user: int = Field(
        default=300, ge=1, le=10_000, description="Latest distinct items of a shopper that are trained on."
    )
    build_threads: int = Field(default=2, ge=1, le=256, description="Threads of training.")
