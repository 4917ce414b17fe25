"""Settings of the peers of served pages; the defaults were chosen on the sample's validation range."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

FROZEN = ConfigDict(extra="forbid", frozen=True)


class TifuKnnSettings(BaseModel):
    """TIFU-KNN (Hu et al., SIGIR 2020): a shopper's decayed visits and those of similar shoppers."""

    model_config = FROZEN

    groups: int = Field(7, ge=1, description="Groups of successive visits; as many visits each, or nearly.")
    within_decay: float = Field(
        0.95, gt=0, le=1, description="Weight of a visit relative to the next one of its group."
    )
    group_decay: float = Field(0.7, gt=0, le=1, description="Weight of a group relative to the next one.")
    neighbours: int = Field(50, ge=1, description="Most similar shoppers whose visits count.")
    own_share: float = Field(
        0.5, ge=0, le=1, description="Weight of the shopper's own visits; the neighbours' mean has the rest."
    )


class SessionKnnSettings(BaseModel):
    """V-SKNN (Ludewig and Jannach 2018): visits that resemble what the shopper took last."""

    model_config = FROZEN

    half_life_days: float = Field(
        60.0, gt=0, description="Days after which an item that the shopper took counts half."
    )
    recent_visits: int = Field(50_000, ge=1, description="Newest visits of all shoppers that are compared.")
    neighbours: int = Field(50, ge=1, description="Most similar visits that count.")
    rarity: float = Field(
        1.0, ge=0, le=2, description="Power of an item's inverse frequency among visits; 0 = none."
    )


class EaseSettings(BaseModel):
    """EASE (Steck, WWW 2019): a linear autoencoder over items in closed form."""

    model_config = FROZEN

    max_items: int = Field(
        5000,
        ge=2,
        description="Items that are scored, those taken by most shoppers; the time grows with the cube of "
        "their number, the memory with the square (600 MB for 5,000).",
    )
    regularisation: float = Field(300.0, gt=0, description="λ, added to the diagonal of the item counts.")


class AlsSettings(BaseModel):
    """Implicit ALS (Hu, Koren and Volinsky, ICDM 2008), by the library `implicit`."""

    model_config = FROZEN

    factors: int = Field(32, ge=1, le=1024, description="Length of a shopper's and an item's vector.")
    regularisation: float = Field(5.0, ge=0, description="λ, the penalty on long vectors.")
    confidence: float = Field(
        1.0, gt=0, description="α: confidence that each unit of log(1 + decayed visits) adds to 1."
    )
    iterations: int = Field(15, ge=1, description="Rounds of alternating least squares.")
    half_life_days: float = Field(90.0, gt=0, description="Days after which a visit counts half.")


class BoostedCountsSettings(BaseModel):
    """LightGBM over counts of the shopper's own items and the most popular ones."""

    model_config = FROZEN

    learned_days: float = Field(
        14.0,
        gt=0,
        description="Last days of the past, of which it learns what is taken; at most a third of all.",
    )
    max_shoppers: int = Field(2_000, ge=1, description="Shoppers it learns from, at most.")
    popular: int = Field(100, ge=0, description="Most popular items scored beside the shopper's own.")
    trees: int = Field(200, ge=1, description="Trees.")
    leaves: int = Field(31, ge=2, description="Leaves of a tree.")
    least_in_leaf: int = Field(100, ge=1, description="Fewest rows in a leaf.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Part of a tree's prediction that is added.")


class PeersSettings(BaseModel):
    """The peers of the served pages; each sees all that its shopper did before the test range."""

    model_config = FROZEN

    popularity_half_life_days: float = Field(
        30.0,
        gt=0,
        description="Days after which a visit counts half in popularity, which fills every peer's page.",
    )
    frequency_half_life_days: float = Field(
        90.0, gt=0, description="Days after which a visit counts half in the decayed personal frequency."
    )
    item_cf_half_life_days: float = Field(
        60.0,
        gt=0,
        description="Days after which an item of the shopper's whole history counts half for item-CF.",
    )
    tifu_knn: TifuKnnSettings = Field(default_factory=TifuKnnSettings)
    session_knn: SessionKnnSettings = Field(default_factory=SessionKnnSettings)
    ease: EaseSettings = Field(default_factory=EaseSettings)
    als: AlsSettings = Field(default_factory=AlsSettings)
    boosted_counts: BoostedCountsSettings = Field(default_factory=BoostedCountsSettings)
