"""Settings of the offline evaluation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation.peer_settings import PeersSettings
from evaluation.sandbox.settings import SandboxSettings
from models.settings import NegativeSettings


class ItemCfSettings(BaseModel):
    """The item-CF baseline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_hours: float = Field(
        168.0, gt=0, description="Items one shopper takes within a window of this many hours belong together."
    )
    half_life_days: float = Field(
        90.0, gt=0, description="Days after which a window counts half when similarities are counted."
    )
    neighbours: int = Field(500, ge=1, description="Neighbours kept of each item.")
    shrinkage: float = Field(
        1.0, ge=0, description="Added to the cosine's denominator, so that one shared window proves little."
    )
    category_weight: float = Field(
        0.01, ge=0, description="Weight of the similarity of categories beside that of items."
    )
    history_half_life_days: float = Field(
        14.0, gt=0, description="Days after which an item of the asked shopper's history counts half."
    )


class BasketKnnSettings(BaseModel):
    """The item-KNN baseline of pages about one item and of pages with a cart."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exponent: float = Field(
        0.3, ge=0, le=1, description="Power of the target's baskets in the denominator; 0.5 = cosine."
    )
    shrinkage: float = Field(
        10.0, ge=0, description="Baskets added to the target's, so that one shared basket proves little."
    )
    cart_exponent: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Power of the baskets of each item of a cart by which its scores are divided.",
    )


class EvaluationSettings(BaseModel):
    """What is measured, on how much, from which seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(1, ge=0, description="Seed of the draws of points, negatives and shoppers.")
    ks: tuple[int, ...] = Field((10, 50, 200), min_length=1, description="Cuts k of HR, NDCG and recall.")
    ranking_points: int = Field(3000, ge=1, description="Sample points in the ranking table.")
    ranking_positives: int = Field(8, ge=1, description="Positives of one sample point at most.")
    ranking_negatives: int = Field(100, ge=1, description="Negatives of one sample point.")
    ranking_k: int = Field(10, ge=1, description="k of HR and NDCG among a point's candidates.")
    negative_sources: NegativeSettings = Field(
        default_factory=NegativeSettings, description="Where the ranking table's negatives come from."
    )
    max_users: int = Field(2000, ge=1, description="Shoppers in the recall table.")
    fused_total: int = Field(200, ge=1, description="Budget of fusion and of each channel beside it, items.")
    rank_candidates: int = Field(
        300, ge=1, description="Fused candidates that the ranking model scores in the full path."
    )
    prerank_shoppers: int = Field(200, ge=1, description="Shoppers in the prerank table.")
    prerank_candidates: tuple[int, ...] = Field(
        (2000, 5000), min_length=1, description="Fused candidates that prerank narrows, items."
    )
    prerank_kept: tuple[int, ...] = Field(
        (300, 500, 1000), min_length=1, description="Candidates that prerank leaves to BST, items."
    )
    prerank_top: int = Field(
        50, ge=1, description="Best of BST's full ranking of which prerank should lose none, items."
    )
    page_shoppers: int = Field(2000, ge=1, description="Shoppers in the table of served pages.")
    anchor_pairs: int = Field(
        3000, ge=1, description="Pairs of an item and the next one of its basket in the table of anchors."
    )
    anchors: int = Field(60, ge=2, description="Items whose pages are compared with each other.")
    anchors_among: int = Field(2000, ge=2, description="Best sold items from which these are drawn.")
    anchor_shoppers: int = Field(
        10, ge=1, description="Shoppers for each of whom such items are drawn and compared; a mean counts."
    )
    carts: int = Field(1000, ge=1, description="Baskets in the table of pages with a cart.")
    searches: int = Field(500, ge=1, description="Shoppers in the table of pages beside a search.")
    venue_shoppers: int = Field(1000, ge=1, description="Shoppers in the table of pages of venues.")
    newcomer_shoppers: int = Field(400, ge=1, description="Shoppers in the table of pages of newcomers.")
    visit_shoppers: int = Field(100, ge=1, description="Shoppers whose visits are simulated.")
    visits: int = Field(6, ge=2, le=100, description="Simulated visits of each, a day apart.")
    cart_basket_items: int = Field(4, ge=2, description="Fewest items of such a basket.")
    basket_knn: BasketKnnSettings = Field(default_factory=BasketKnnSettings)
    item_cf: ItemCfSettings = Field(default_factory=ItemCfSettings)
    peers: PeersSettings = Field(default_factory=PeersSettings)
    sandbox: SandboxSettings = Field(
        default_factory=SandboxSettings, description="What `shopfront sandbox` replays, and what must hold."
    )

    @model_validator(mode="after")
    def _cuts_are_positive(self) -> EvaluationSettings:
        if min(self.ks) < 1:
            raise ValueError(f"ks must all be at least 1, got {self.ks}")
        return self
