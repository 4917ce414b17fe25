"""Features that are kept between runs: each picture's, whatever pictures it is encoded with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import picture_features
from benchmarks.picture_features import InProcessEncoder
from models.picture_network import FEATURES


class MeanColours(torch.nn.Module):
    """In place of the network: features are the mean of a picture's pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, squares: torch.Tensor) -> tuple[torch.Tensor]:
        """float32[n, 1280]."""
        self.seen.append(len(squares))
        return (squares.float().mean(dim=(1, 2, 3))[:, None].expand(-1, FEATURES),)


def test_a_picture_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = MeanColours()
    monkeypatch.setattr(picture_features, "PictureNetwork", lambda: network)
    monkeypatch.setattr(picture_features, "load_pretrained", lambda _: None)
    pictures = [Image.new("RGB", (40, 30), (shade,) * 3) for shade in (10, 20, 30)]
    first = InProcessEncoder(tmp_path).features(pictures[:2])
    later = InProcessEncoder(tmp_path).features(pictures[::-1])
    assert network.seen == [2, 1]
    np.testing.assert_array_equal(first[:, 0], [10, 20])
    np.testing.assert_array_equal(later[:, 0], [30, 20, 10])
    assert InProcessEncoder().features(pictures).shape == (3, FEATURES)
    assert network.seen == [2, 1, 3]
