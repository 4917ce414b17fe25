"""EfficientNet-lite0 itself as a network that names categories, a peer of the small one."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.category_network import SIDES, Form
from models.picture_network import FEATURES

_DROPPED = 0.2


class LastMap(nn.Module):
    """Maps float32[B, 1280, h, w] → logits float32[B, C] of each level."""

    def __init__(self, classes: Sequence[int]) -> None:
        """With random weights; `classes`: C of each level."""
        super().__init__()
        self.dropped = nn.Dropout(_DROPPED)
        self.levels = nn.ModuleList(nn.Linear(FEATURES, count) for count in classes)

    def forward(self, _: Tensor, last: Tensor) -> tuple[Tensor, ...]:
        """Logits, from the mean over all places of the last map alone."""
        whole = self.dropped(last.mean(dim=(2, 3)))
        return tuple(level(whole) for level in self.levels)


WHOLE = Form(early=4, fine=12, coarse=18, kernel=5, measured=SIDES, head=LastMap)
"""All layers of lite0 with their kernels of 5×5, and one layer over the last map for each level."""
