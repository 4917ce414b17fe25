"""How a model in any form is asked."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Runner = Callable[[Mapping[str, NDArray[np.int32]]], NDArray[np.float32]]
"""Inputs by name → the model's output."""
