"""Shapes of the rankers over inputs, and what they learn from; read by the router, so without torch."""

from __future__ import annotations

from pydantic import Field

from models.settings import NegativeSettings, NetworkSettings, SampleSettings, TrainingSettings


class MlpNetworkSettings(NetworkSettings):
    """The shape of the network."""

    hidden: tuple[int, ...] = Field((64, 32), min_length=1, description="Units of each hidden layer.")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="Part of the first layer's units left out of a training step."
    )


class ForestNetworkSettings(NetworkSettings):
    """How the trees are grown (Breiman 2001)."""

    trees: int = Field(100, ge=1, le=1_000, description="Number of trees.")
    least_leaf: int = Field(
        10, ge=1, description="Examples of a leaf at least: the more, the smaller the trees."
    )
    inputs_share: float = Field(
        0.4, gt=0, le=1, description="Part of the inputs that is looked at for each split."
    )
    examples_share: float = Field(0.5, gt=0, le=1, description="Part of the examples that each tree learns.")


def ranker_samples() -> SampleSettings:
    """Points of a ranker: few are enough for some dozen inputs."""
    return SampleSettings(positives=4, negatives=15, max_points=4_000, negative_sources=NegativeSettings())


def ranker_training() -> TrainingSettings:
    """Budgets of queries: a batch is 64 lists."""
    return TrainingSettings(
        batch_size=64,
        max_steps=1_200,
        max_epochs=100,
        evaluate_every=40,
        patience=5,
        validation_points=300,
        learning_rate=2e-3,
        weight_decay=1e-4,
    )
