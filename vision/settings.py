"""Settings of pictures: which may be used, and how they are encoded and compared."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PictureLimits(BaseModel):
    """What a picture may be. Everything is checked before pixels are decoded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(default=10 * 2**20, ge=1024, le=2**30, description="Largest file, bytes.")
    pixels: int = Field(
        default=32_000_000,
        ge=4096,
        le=80_000_000,
        description="Largest width × height, pixels; decoding one takes up to 13 bytes a pixel.",
    )
    side: int = Field(default=16, ge=2, le=512, description="Shortest side of a usable picture, pixels.")


class PhotoSearchSettings(BaseModel):
    """Photos that callers send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: PictureLimits = Field(
        default=PictureLimits(bytes=3 * 2**19),
        description="What a photo may be; a request has 2 MiB at most, whatever this says of bytes.",
    )
    encode_timeout_ms: float = Field(
        default=1000.0, gt=0, description="Longest wait for a photo's features from Triton, milliseconds."
    )
    neighbours: int = Field(
        default=50, ge=1, le=1000, description="Most alike items by which a photo's category is predicted."
    )
    temperature: float = Field(
        default=0.05, gt=0, description="Difference of cosines by which a neighbour counts e times less."
    )
    least_confidence: float = Field(
        default=0.3,
        gt=0,
        le=1,
        description="Confidence from which on something in a photo is an object, where a call does not say.",
    )
    put_per_item: int = Field(
        default=10, ge=1, le=100, description="Pictures that an item may get by PutPictures."
    )
    follow_s: float = Field(
        default=0.25,
        gt=0,
        le=60,
        description="Seconds between two looks for pictures that were put or deleted through other replicas.",
    )


class CategoryNetworkSettings(BaseModel):
    """The small network that `shopfront category-network` trains."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draw_by: Literal["pictures", "sales"] = Field(
        default="pictures",
        description="How pictures are drawn to learn from: each once a pass (pictures), or so that those of "
        "a category appear as often as it was bought (sales), for a device that sees what sells. Without a "
        "purchase in the log each is drawn once, and the command says so.",
    )
    sales_days: int = Field(
        default=365, ge=1, le=3_650, description="Days of purchases that count, up to the log's last event."
    )
    sales_smoothing: float = Field(
        default=1.0,
        ge=0,
        le=1_000_000,
        description="Purchases that every category is given in addition to its own.",
    )
    least_draws: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="How often a picture is drawn in a pass at least, on average, be its category unsold.",
    )
    most_draws: float = Field(
        default=5.0,
        ge=1,
        le=100,
        description="How often a picture is drawn in a pass at most, on average, however few pictures a "
        "category has that sells.",
    )


class PictureSettings(BaseModel):
    """Pictures of items, offline."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(
        default=True,
        description="Whether items' pictures are used. Without the column `image` in the items file, or the "
        "extra `vision`, they are not, whatever this says, and the build says why.",
    )
    limits: PictureLimits = Field(default=PictureLimits(), description="What an item's picture may be.")
    per_item: int = Field(default=5, ge=1, le=100, description="First pictures of an item that are used.")
    batch: int = Field(default=32, ge=1, le=512, description="Pictures encoded, and made durable, at a time.")
    threads: int = Field(default=1, ge=1, description="Threads that encode.")
    dimensions: int = Field(
        default=512, ge=8, le=1280, description="Longest vector; a shop with fewer pictures has shorter ones."
    )
    colour_weight: float = Field(
        default=0.5,
        ge=0,
        le=10,
        description="Weight of a picture's colours, a vector of length 1 as its features are, where pictures "
        "are compared; 0 = what they show counts alone.",
    )
    least_photos: int = Field(
        default=50,
        ge=10,
        description="Photos of items (photos.csv in the data folder) from which on they train the space in "
        "which pictures are compared.",
    )
    object_scenes: int = Field(
        default=600,
        ge=0,
        le=100_000,
        description="Made-up scenes of the items' pictures, by which layers learn once where things are in "
        "photos; each takes some 40 ms. 0 = what stands out of a photo's ground is taken for its objects.",
    )
    object_steps: int = Field(default=800, ge=1, le=100_000, description="Steps of that training.")
    thumbnails: int = Field(
        default=10_000,
        ge=0,
        le=100_000,
        description="Items, the best known first, of which the snapshot keeps a small picture for people to "
        "look at (the console); each takes some 3 ms to make and 4 kB.",
    )
    thumbnail_side: int = Field(
        default=160, ge=32, le=320, description="Longer side of such a picture, pixels."
    )
    compared_bits: int = Field(
        default=65,
        ge=0,
        le=255,
        description="Pictures are compared where their fingerprints differ in at most so many of 256 bits, "
        "or their structures in at most `compared_structure_bits`.",
    )
    compared_structure_bits: int = Field(
        default=58,
        ge=0,
        le=255,
        description="Bits of 256 in which structures (a perceptual hash) of compared pictures differ.",
    )
    largest_difference: float = Field(
        default=8.0,
        ge=0,
        le=255,
        description="Pictures are nearly identical where small copies of them, one laid over the other at "
        "best, differ by at most this but for a mark over a tenth; root mean square, levels of 0 to 255.",
    )
    largest_patch_difference: float = Field(
        default=24.0,
        ge=0,
        le=255,
        description="The same, in the place, an eighth of the sides, where they differ most.",
    )
    largest_colour_difference: float = Field(
        default=7.0,
        ge=0,
        le=255,
        description="The same, of the mean colours of such places, which noise and blur leave alone.",
    )
    compared_pairs: int = Field(
        default=200_000,
        ge=0,
        le=100_000_000,
        description="Pairs of pictures compared by one build, at most, each some 10 ms; further ones are not "
        "nearly identical.",
    )
    category_network: CategoryNetworkSettings = Field(
        default=CategoryNetworkSettings(), description="The small network that names categories elsewhere."
    )
