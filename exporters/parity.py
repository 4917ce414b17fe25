"""The parity gate: the exported form must answer what torch answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from exporters.errors import ExportRefused
from exporters.input_cases import InputCase
from exporters.runner import Runner


@dataclass(frozen=True, slots=True)
class CaseParity:
    """Absolute differences over every output value of one input case."""

    name: str
    values: int
    max_abs: float
    mean_abs: float


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far the exported form is from torch, over all cases; `samples` counts output values."""

    max_abs: float
    mean_abs: float
    samples: int
    tolerance: float
    cases: tuple[CaseParity, ...]


def torch_runner(module: nn.Module) -> Runner:
    """The eager module, asked the way an exported form is."""
    module.eval()

    def run(feeds: Mapping[str, NDArray[np.int32]]) -> NDArray[np.float32]:
        with torch.no_grad():
            return np.asarray(module(**{name: torch.from_numpy(v) for name, v in feeds.items()}).numpy())

    return run


def check_parity(
    model: str, reference: Runner, exported: Runner, cases: Sequence[InputCase], tolerance: float
) -> ParityReport:
    """Compares both on every case.

    Raises ExportRefused naming the model, the case, the largest difference and the tolerance where a
    difference exceeds it, a shape differs, or either side answers NaN or infinity.
    """
    results = [_compare(model, case, reference(case.feeds), exported(case.feeds)) for case in cases]
    worst = max(results, key=lambda result: result.max_abs, default=None)
    if worst is None or not sum(result.values for result in results):
        raise ExportRefused(f"{model}: there is nothing to compare with torch")
    if worst.max_abs > tolerance:
        raise ExportRefused(
            f"{model} differs from torch by {worst.max_abs:.3g} on {worst.name}; the tolerance is"
            f" {tolerance:g}"
        )
    samples = sum(result.values for result in results)
    mean = sum(result.mean_abs * result.values for result in results) / samples
    return ParityReport(worst.max_abs, mean, samples, tolerance, tuple(results))


def _compare(
    model: str, case: InputCase, expected: NDArray[np.float32], found: NDArray[np.float32]
) -> CaseParity:
    if expected.shape != found.shape:
        raise ExportRefused(
            f"{model} answers shape {list(found.shape)} on {case.name}, torch {list(expected.shape)}"
        )
    for side, values in (("torch", expected), ("the exported form", found)):
        broken = int(np.count_nonzero(~np.isfinite(values)))
        if broken:
            raise ExportRefused(
                f"{model}: {side} answers NaN or infinity in {broken} of {values.size} values on {case.name}"
            )
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    return CaseParity(
        case.name,
        difference.size,
        float(difference.max(initial=0.0)),
        float(difference.mean()) if difference.size else 0.0,
    )
