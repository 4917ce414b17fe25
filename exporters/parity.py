"""The parity gate: the exported form must answer what torch answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporters.errors import ExportRefused
from exporters.input_cases import InputCase
from exporters.runner import Runner


@dataclass(frozen=True, slots=True)
class CaseParity:
    """Absolute differences over every value of every output, of one input case."""

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


def check_parity(
    model: str, reference: Runner, exported: Runner, cases: Sequence[InputCase], tolerance: float
) -> ParityReport:
    """Compares both on every case.

    Raises ExportRefused naming the model, the case, the largest difference and the tolerance where a
    difference exceeds it, a shape or type differs, or either side answers NaN or infinity.
    """
    results = [_compare(model, case.name, reference(case.feeds), exported(case.feeds)) for case in cases]
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
    model: str, case: str, expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]
) -> CaseParity:
    """Over all outputs of one call."""
    differences = [
        _difference(model, f"{case} ({name})" if len(expected) > 1 else case, values, found[name])
        for name, values in expected.items()
    ]
    difference = np.concatenate(differences)
    return CaseParity(
        case,
        difference.size,
        float(difference.max(initial=0.0)),
        float(difference.mean()) if difference.size else 0.0,
    )


def _difference(model: str, case: str, expected: NDArray[Any], found: NDArray[Any]) -> NDArray[np.float64]:
    """float64[n]: absolute differences of one output's values; of bytes 1 where they are not the same."""
    if expected.shape != found.shape:
        raise ExportRefused(
            f"{model} answers shape {list(found.shape)} on {case}, torch {list(expected.shape)}"
        )
    if expected.dtype != found.dtype:
        raise ExportRefused(f"{model} answers {found.dtype} on {case}, torch {expected.dtype}")
    if expected.dtype == object:
        unequal: NDArray[np.float64] = np.asarray(expected != found, np.float64).ravel()
        return unequal
    for side, values in (("torch", expected), ("the exported form", found)):
        broken = int(np.count_nonzero(~np.isfinite(values)))
        if broken:
            raise ExportRefused(
                f"{model}: {side} answers NaN or infinity in {broken} of {values.size} values on {case}"
            )
    return np.abs(expected.astype(np.float64) - found.astype(np.float64)).ravel()
