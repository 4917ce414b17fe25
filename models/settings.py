"""What the settings of every model have: its network, its samples and its training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class NegativeSettings(BaseModel):
    """Where negatives come from. Shares are weights: they are divided by their sum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    popular_share: float = Field(0.5, ge=0, description="Weight of draws ∝ popularity^`popularity_power`.")
    uniform_share: float = Field(0.5, ge=0, description="Weight of draws uniform over all items.")
    history_share: float = Field(0.0, ge=0, description="Weight of draws from the shopper's own history.")
    category_share: float = Field(
        0.0, ge=0, description="Weight of draws from the categories of the shopper's history."
    )
    popularity_power: float = Field(0.75, ge=0, description="Power of popularity in popular draws.")
    popularity_correction: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the log popularity of negatives that is given back to the score: 1 scores how "
        "likely an item is taken, 0 how much likelier than its popularity says.",
    )
    impression_window: int = Field(
        1800,
        ge=0,
        description="Impressions at most this many seconds before the sample, and not taken, are used as "
        "negatives before any is drawn.",
    )

    def broad(self) -> NegativeSettings:
        """The popular and uniform draws alone; these settings where there are none."""
        if self.popular_share + self.uniform_share == 0:
            return self
        return self.model_copy(update={"history_share": 0.0, "category_share": 0.0})

    @model_validator(mode="after")
    def _something_to_draw(self) -> NegativeSettings:
        if self.popular_share + self.uniform_share + self.history_share + self.category_share <= 0:
            raise ValueError("at least one share of the negatives must be above 0")
        return self


class SampleSettings(BaseModel):
    """How sample points and their candidates are cut from the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positives: int = Field(8, ge=1, description="Most positives of one sample point, items.")
    negatives: int = Field(16, ge=1, description="Negatives of one sample point, items.")
    horizon: int = Field(
        1800, ge=0, description="Items taken up to this many seconds after the sample are its positives."
    )
    positive_events: tuple[int, ...] = Field(
        (2, 3, 4, 5), min_length=1, description="Event codes that make an item a positive."
    )
    max_points: int = Field(
        140_000, ge=1, description="Sample points used in training; the most recent are kept."
    )
    negative_sources: NegativeSettings = Field(
        default_factory=lambda: NegativeSettings(
            popular_share=0.35, uniform_share=0.35, history_share=0.2, category_share=0.1
        ),
        description="Where negatives come from. Draws from history and category teach the hard cases; their "
        "higher chance is corrected for.",
    )


class TrainingSettings(BaseModel):
    """The training loop. Budgets are counted in steps, so that a seed fixes the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int = Field(256, ge=1, description="Sample points in one step.")
    max_steps: int = Field(1000, ge=1, description="Steps at most.")
    max_epochs: int = Field(
        100, ge=1, description="Passes over the sample points at most, so that little data takes few steps."
    )
    evaluate_every: int = Field(250, ge=1, description="Steps between two validations.")
    patience: int = Field(3, ge=1, description="Validations without improvement after which training stops.")
    validation_points: int = Field(2000, ge=1, description="Sample points of one validation.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate of dense weights (Adam).")
    embedding_learning_rate: float = Field(
        2e-3, gt=0, description="Learning rate of the item table (sparse Adam: only rows of the batch move)."
    )
    weight_decay: float = Field(1e-5, ge=0, description="Decoupled weight decay of dense weights.")
    warmup_steps: int = Field(50, ge=0, description="Steps over which the learning rate rises to its value.")
    seed: int = Field(1, ge=0, description="Seed of initial weights, order, dropout and negatives.")
    threads: int = Field(
        1,
        ge=1,
        description="Threads inside one operator. Operators here are small: beside other busy processes two "
        "threads wait for each other and are several times slower than one.",
    )

    def bounded_by(self, points: int) -> TrainingSettings:
        """These settings with no more steps than `max_epochs` passes over `points` sample points (1 or more).

        Where that shortens training, it is still validated about four times.
        """
        steps = self.max_epochs * -(-points // self.batch_size)
        if steps >= self.max_steps:
            return self
        often = min(self.evaluate_every, max(1, steps // 4))
        return self.model_copy(update={"max_steps": steps, "evaluate_every": often})


class NetworkSettings(BaseModel):
    """Base of the settings that fix a network's shape: a checkpoint records them to restore it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelKindSettings(BaseModel):
    """Base of a model's section under `models`; a model replaces `network`, and defaults of the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: NetworkSettings = NetworkSettings()
    samples: SampleSettings = SampleSettings()
    training: TrainingSettings = TrainingSettings()
