"""NetVLAD over an inner map of EfficientNet-lite0, trained end to end with the block before it.

Arandjelović et al., "NetVLAD: CNN architecture for weakly supervised place recognition" (CVPR 2016): each
place of a map is given to all centres by a softmax, and what is left of its centre is added up for each; per
centre and in all of length 1, and then mapped to fewer dimensions.
"""

from __future__ import annotations

import copy
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.visnet_network import Embedding, Pictures
from benchmarks.visnet_training import train, vectors
from models.picture_encoder import SIDE
from models.picture_network import PictureNetwork
from vision.square import square

BEFORE = 11
"""Layers of the trunk before the block that is trained, the last of the fifth stage."""
_CHANNELS, _WIDE, _CENTRES, _DIMENSIONS = 112, 64, 32, 512
_SHARPNESS = 10.0
"""Of the first softmax: a place half as far from one centre as from the others is nearly all given to it."""
_TRUNK_RATE, _RATE, _DROPPED, _DECAY = 2e-4, 1e-3, 0.5, 1.0
_PART, _PLACES, _BEGINNING = 64, 20_000, 800
_BATCH = 48


def inner_maps(network: PictureNetwork, squares: NDArray[np.uint8]) -> NDArray[np.float16]:
    """float16[n, 112, 14, 14] of squares uint8[n, 224, 224, 3]: what the trained block sees."""
    with torch.no_grad():
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2).to(torch.float32)
        made = network.layers[:BEFORE]((pixels - network.mean) / network.deviation)
    return np.asarray(made.numpy(), np.float16)


def maps_of(
    network: PictureNetwork, pictures: list[Image.Image], products: NDArray[np.int64] | None = None
) -> Pictures:
    """Pictures as NetVLAD sees them, their products 0 where they are not given."""
    parts = [
        inner_maps(network, np.stack([square(each, SIDE) for each in pictures[first : first + _PART]]))
        for first in range(0, len(pictures), _PART)
    ]
    count = len(pictures)
    nothing, zeros = np.zeros((count, 0), np.float32), np.zeros(count, np.int64)
    labels = zeros if products is None else products
    return Pictures(
        nothing, np.zeros((count, 0), np.uint8), nothing, nothing, labels, zeros, np.concatenate(parts)
    )


class NetVlad(Embedding):
    """`Pictures.maps` → vectors of length 1, float32[B, 512]; fewer where fewer pictures began it."""

    def __init__(self, encoder: PictureNetwork, pictures: Pictures, seed: int) -> None:
        """Begins with the encoder's block, and with centres and a map that pictures teach.

        Args:
            encoder: its layers before the block made the maps.
            pictures: have maps.
            seed: of the centres.
        """
        super().__init__()
        torch.manual_seed(seed)
        self.block = copy.deepcopy(encoder.layers[BEFORE])
        self.narrow = nn.Conv2d(_CHANNELS, _WIDE, 1, bias=False)
        nn.init.orthogonal_(self.narrow.weight)
        self.centres = nn.Parameter(torch.zeros(_CENTRES, _WIDE))
        self.assignment = nn.Conv2d(_WIDE, _CENTRES, 1, bias=False)
        self.height = nn.Parameter(torch.zeros(_CENTRES))
        places = np.concatenate(
            [
                self._local(part).detach().permute(0, 2, 3, 1).reshape(-1, _WIDE).numpy()
                for part in self._parts(pictures)
            ]
        )
        random = np.random.default_rng(seed)
        kmeans = faiss.Kmeans(_WIDE, _CENTRES, niter=15, seed=seed)
        kmeans.train(places[random.choice(len(places), min(_PLACES, len(places)), replace=False)])
        with torch.no_grad():
            self.centres.copy_(torch.from_numpy(kmeans.centroids))
            self.assignment.weight.copy_((2 * _SHARPNESS * self.centres)[:, :, None, None])
            self.height.copy_(-_SHARPNESS * self.centres.square().sum(dim=1))
            joined = torch.cat([self._joined(self._local(part)) for part in self._parts(pictures)])
        self.register_buffer("centre", joined.mean(dim=0))
        # Principal components; of the pictures, since they are fewer than the 2,048 dimensions.
        directions = torch.linalg.svd(joined - self.centre, full_matrices=False).Vh[:_DIMENSIONS]
        self.matrix = nn.Parameter(directions.T.contiguous())

    centre: Tensor

    def train(self, mode: bool = True) -> NetVlad:
        """As of every module, but the block keeps the statistics of ImageNet."""
        super().train(mode)
        self.block.eval()
        return self

    def embed(self, pictures: Pictures, rows: NDArray[np.int64]) -> Tensor:
        """See `Embedding`."""
        assert pictures.maps is not None, "NetVLAD looks at maps"
        joined = self._joined(self._local(pictures.maps[rows])) - self.centre
        return functional.normalize(functional.dropout(joined, _DROPPED, self.training) @ self.matrix, dim=1)

    def groups(self) -> list[dict[str, Any]]:
        """See `Embedding`."""
        return [
            {"params": list(self.block.parameters()), "weight_decay": 0.0, "lr": _TRUNK_RATE},
            {
                "params": [
                    *self.narrow.parameters(),
                    *self.assignment.parameters(),
                    self.height,
                    self.centres,
                ],
                "weight_decay": 0.0,
                "lr": _RATE,
            },
            {"params": [self.matrix], "weight_decay": _DECAY, "lr": _RATE},
        ]

    def _local(self, maps: NDArray[np.float16]) -> Tensor:
        """float32[B, 64, 14, 14], of length 1 at every place."""
        made: Tensor = self.narrow(self.block(torch.from_numpy(maps.astype(np.float32))))
        return functional.normalize(made, dim=1)

    def _shares(self, local: Tensor) -> Tensor:
        """float32[B, 32, 14, 14]: how much of each place each centre has; they add up to 1."""
        likeness: Tensor = self.assignment(local) + self.height[:, None, None]
        return likeness.softmax(dim=1)

    def _joined(self, local: Tensor) -> Tensor:
        """float32[B, 32 · 64], of length 1."""
        given = self._shares(local).flatten(2)
        sums = given @ local.flatten(2).transpose(1, 2)
        left = functional.normalize(sums - given.sum(dim=2)[:, :, None] * self.centres, dim=2)
        return functional.normalize(left.flatten(1), dim=1)

    @staticmethod
    def _parts(pictures: Pictures) -> list[NDArray[np.float16]]:
        assert pictures.maps is not None, "NetVLAD looks at maps"
        return np.array_split(pictures.maps, max(1, len(pictures.maps) // _PART))


class FittedNetVlad:
    """Makes vectors of pictures by a network that photos and catalogue pictures of their products taught."""

    def __init__(
        self,
        encoder: PictureNetwork,
        catalogue: Pictures,
        photos: Pictures,
        seed: int,
        steps: int,
        *,
        fixed: bool = False,
    ) -> None:
        """Trains it by proxies.

        Args:
            encoder: its layers before the block made the maps.
            catalogue: as of `maps_of`, with products.
            photos: likewise.
            seed: of centres and draws.
            steps: of 48 photos.
            fixed: the block stays as it is, and only what is behind it is trained.
        """
        self._encoder = encoder
        chosen = np.random.default_rng(seed).permutation(len(photos.products))[:_BEGINNING]
        self._network = NetVlad(encoder, photos.take(chosen), seed)
        self._network.block.requires_grad_(not fixed)
        train(self._network, "proxies", photos, catalogue, seed, steps=steps, batch=_BATCH)

    def __call__(self, pictures: list[Image.Image]) -> NDArray[np.float32]:
        """float32[n, 512] of RGB pictures."""
        return vectors(self._network, maps_of(self._encoder, pictures))
