"""The model `picture_encoder`: features of pictures, from weights that were trained on ImageNet.

No shop teaches it: its checkpoint holds the installed weights, so that it is exported, versioned and served
like every other model. What a shop's own pictures teach is the projection behind it (`vision.fit_space`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.kind import ModelKind, Trained, TrainingSource
from models.moments import Moments
from models.settings import ModelKindSettings, NetworkSettings
from triton_repo.tensors import Tensor as TensorDeclaration
from triton_repo.tensors import Tensors

if TYPE_CHECKING:
    from torch import Tensor

    from models.checkpoint import ModelRecord
    from models.picture_network import PictureNetwork
    from models.training_loop import Progress

NAME = "picture_encoder"
SIDE = 224
"""Pixels of a side of the square that it sees, as lite0 was trained; of 160 it finds less."""
FEATURES = 1280
"""Length of the features."""
PICTURES = "pictures"
"""Its input."""
OUTPUT = "features"
"""Its first output."""
FINE, COARSE = "fine", "coarse"
"""Its others: maps in which things are found."""
FINE_SHAPE, COARSE_SHAPE = (112, SIDE // 16, SIDE // 16), (320, SIDE // 32, SIDE // 32)
"""Channels, rows and columns of the maps."""


class PictureEncoderSettings(ModelKindSettings):
    """EfficientNet-lite0 with its ImageNet weights. Samples and training are not used."""

    network: NetworkSettings = NetworkSettings()


def train(source: TrainingSource, settings: PictureEncoderSettings, progress: Progress) -> Trained:
    """The installed weights. Raises TrainingError where the extra `vision` is not installed."""
    from models.picture_network import PictureNetwork, load_pretrained
    from models.training_loop import TrainingResult

    network = PictureNetwork()
    load_pretrained(network)
    progress(1, 1, 0.0, {})
    return Trained(network, TrainingResult(0, {}))


def restore(record: ModelRecord, weights: Mapping[str, Tensor]) -> PictureNetwork:
    """The network, its weights not yet loaded."""
    from models.picture_network import PictureNetwork

    return PictureNetwork()


def noise_pictures(moments: Moments) -> Mapping[str, NDArray[Any]]:
    """One picture of noise per shopper, by which the exported graph is compared: shoppers have none."""
    random = np.random.default_rng(len(moments.user))
    return {PICTURES: random.integers(0, 256, (len(moments.user), SIDE, SIDE, 3), dtype=np.uint8)}


MODEL = ModelKind(
    settings=PictureEncoderSettings,
    tensors=Tensors(
        (TensorDeclaration(PICTURES, "uint8", ("B", SIDE, SIDE, 3)),),
        (
            TensorDeclaration(OUTPUT, "float32", ("B", FEATURES)),
            TensorDeclaration(FINE, "float32", ("B", *FINE_SHAPE)),
            TensorDeclaration(COARSE, "float32", ("B", *COARSE_SHAPE)),
        ),
    ),
    train=train,
    restore=restore,
    inputs=noise_pictures,
    learns=False,
    description="EfficientNet-lite0: features of B pictures (RGB), of length 1, and maps of what is where.",
)
