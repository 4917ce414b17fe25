"""Settings of the models, of their samples and of their training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.history import HISTORY_LENGTH


class BstSettings(BaseModel):
    """Shape of the Behavior Sequence Transformer (Chen et al. 2019, arXiv:1905.06874)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mask_candidate: bool = Field(
        True,
        description="True: the history does not attend to the candidate, so its part is computed once per "
        "shopper. False: the paper's form, whose history must be computed again for every candidate.",
    )
    history_length: int = Field(
        HISTORY_LENGTH,
        ge=1,
        le=HISTORY_LENGTH,
        description="Newest behaviours the network reads of those it is sent; it is sent 50 in any case.",
    )
    dimension: int = Field(32, ge=4, description="Width of a token in the transformer, floats.")
    heads: int = Field(4, ge=1, description="Attention heads; divides `dimension`.")
    feed_forward: int = Field(128, ge=1, description="Width of the feed-forward layer, floats.")
    blocks: int = Field(1, ge=1, description="Transformer blocks.")
    candidate_blocks: int = Field(
        0,
        ge=0,
        description="Further blocks of the candidate alone, which attends to the history's outputs in each; "
        "only with `mask_candidate`.",
    )
    hidden: tuple[int, ...] = Field(
        (256, 64), min_length=1, description="Widths of the MLP's layers, floats."
    )
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of item ids whose own embedding is replaced by the unknown item's in training, "
        "so that cold items are scored by their category, brand and shop.",
    )

    @model_validator(mode="after")
    def _heads_divide_dimension(self) -> BstSettings:
        if self.dimension % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dimension ({self.dimension})")
        return self

    @model_validator(mode="after")
    def _candidate_alone(self) -> BstSettings:
        if self.candidate_blocks and not self.mask_candidate:
            raise ValueError(
                f"candidate_blocks ({self.candidate_blocks}) belong to the masked form; set them to 0 or "
                "mask_candidate to true"
            )
        return self


class MindSettings(BaseModel):
    """Shape of MIND (Li et al. 2019, arXiv:1904.08030)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: int = Field(64, ge=4, description="Width of item and interest vectors, floats.")
    interests: int = Field(4, ge=1, description="Largest number of interests of one shopper.")
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


class TwoTowerSettings(BaseModel):
    """Shape of the two-tower model of prerank, and how it learns from BST."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: int = Field(48, ge=4, description="Width of shopper and item vectors, floats.")
    token_dimension: int = Field(32, ge=4, description="Width of a behaviour in the history, floats.")
    side_dimension: int = Field(8, ge=1, description="Width of the embedding of a side feature, floats.")
    interests: int = Field(4, ge=1, description="Attention heads that pool the history.")
    hidden: int = Field(128, ge=1, description="Width of the hidden layer of either tower, floats.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of activations dropped in training.")
    min_item_users: int = Field(
        5,
        ge=0,
        description="Items taken by fewer shoppers before the validation cut have no embedding of their own.",
    )
    id_dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of item ids replaced by the unknown item's in training."
    )
    temperature: float = Field(
        2.0,
        gt=0,
        description="BST's logits are divided by this before the softmax that is learned; larger minds the "
        "order further down the list.",
    )
    label_weight: float = Field(
        0.1, ge=0, le=1, description="Weight of what shoppers took; the rest is the weight of BST's order."
    )


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
