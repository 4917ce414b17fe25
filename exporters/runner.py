"""How a model in any form is called."""

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[Any]]
"""Inputs of one call, by name."""
Runner = Callable[[Feeds], Mapping[str, NDArray[Any]]]
"""Inputs by name → the model's outputs by name, in their order."""


def first_output(outputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The scores of a model that scores candidates: its first output, float32[n]."""
    return next(iter(outputs.values()))
