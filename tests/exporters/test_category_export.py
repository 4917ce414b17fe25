"""A network that names categories, as files that can be moved alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from exporters.category_export import INPUT, write_float32
from exporters.graph_files import ONE_FILE_BYTES
from models.category_network import SIDES

CLASSES = ONE_FILE_BYTES // 12 + 1


class MeanColour(nn.Module):
    """Logits of very many classes, by the mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Linear(3, CLASSES)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.level(pictures.to(torch.float32).mean(dim=(1, 2)))
        return logits


def test_a_graph_of_very_many_classes_is_one_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = MeanColour().eval()
    path = tmp_path / "categories.onnx"
    write_float32(network, path, {"level0": (CLASSES,)})
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    pictures = np.random.default_rng(1).integers(0, 256, (2, *SIDES, 3), dtype=np.uint8)
    (found,) = ort.InferenceSession(path).run(None, {INPUT: pictures})
    with torch.no_grad():
        np.testing.assert_allclose(found, network(torch.from_numpy(pictures)).numpy(), rtol=1e-4, atol=1e-3)
