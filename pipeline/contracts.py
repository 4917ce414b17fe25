"""Checks that a stage returned what its Protocol promises; a breach is a bug of that stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Float32
from pipeline.stages import ContractError, MergedScore, RecalledColumns


def check_recalled(recalled: RecalledColumns, k: int) -> None:
    """Raises `ContractError` unless the columns are equally long, at most k, with distinct items above 0."""
    items, scores, triggers = recalled.items, recalled.scores, recalled.triggers
    if not (
        isinstance(items, np.ndarray) and isinstance(scores, np.ndarray) and isinstance(triggers, np.ndarray)
    ):
        forms = ", ".join(map(_form, (items, scores, triggers)))
        raise ContractError(f"recalled columns must be arrays int32, float32, int32, got {forms}")
    if not (items.ndim == scores.ndim == triggers.ndim == 1):
        raise ContractError("recalled columns must have one dimension each")
    if not (items.shape == scores.shape == triggers.shape):
        raise ContractError(
            "recalled columns differ in length: "
            f"{items.size} items, {scores.size} scores, {triggers.size} triggers"
        )
    if items.dtype != np.int32 or scores.dtype != np.float32 or triggers.dtype != np.int32:
        raise ContractError(
            "recalled columns must be int32, float32, int32, got "
            f"{items.dtype}, {scores.dtype}, {triggers.dtype}"
        )
    if items.size == 0:
        return
    if items.size > k:
        raise ContractError(f"{items.size} items recalled where at most {k} were requested")
    ascending = np.sort(items)
    if ascending[0] <= 0:
        raise ContractError(f"item {ascending[0]} recalled; item indexes begin at 1")
    repeated = ascending[1:] == ascending[:-1]
    if repeated.any():
        raise ContractError(f"item {ascending[1:][repeated][0]} recalled twice")


def check_mask(mask: npt.NDArray[np.bool_], count: int) -> None:
    """Raises `ContractError` unless `mask` is bool[count]."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,):
        raise ContractError(f"a mask bool[{count}] was expected, got {_form(mask)}")


def check_columns(columns: Mapping[str, Float32], count: int, names: tuple[str, ...] = ()) -> None:
    """Raises `ContractError` unless there is at least one column, and each is float32[count].

    names: of the columns that must be there, in their order; empty: any.
    """
    if not columns:
        raise ContractError("a scorer must give at least one column")
    if names and tuple(columns) != names:
        raise ContractError(
            f"the scorer is registered with the columns {', '.join(names)}, it gave {', '.join(columns)}"
        )
    for name, column in columns.items():
        if not isinstance(column, np.ndarray) or column.dtype != np.float32 or column.shape != (count,):
            raise ContractError(
                f"scores float32[{count}] were expected, the column {name} is {_form(column)}"
            )


def check_merged(merged: MergedScore, columns: Mapping[str, Float32], count: int) -> None:
    """Raises `ContractError` unless the merged score is float32[count] and names one of its columns."""
    check_columns({"merged": merged.values}, count)
    for name in ("probability", "shown"):
        further = getattr(merged, name)
        if further is not None:
            check_columns({f"merged.{name}": further}, count)
    if merged.column not in columns:
        raise ContractError(f"a merge must name one of {', '.join(columns)}, got {merged.column}")


def check_positions(positions: npt.NDArray[np.intp], count: int) -> None:
    """Raises `ContractError` unless `positions` are integers in one dimension, distinct, within 0…count−1."""
    if not isinstance(positions, np.ndarray) or positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ContractError(f"positions must be integers in one dimension, got {_form(positions)}")
    if positions.size == 0:
        return
    if positions.min() < 0 or positions.max() >= count:
        raise ContractError(f"a position lies outside 0…{count - 1}")
    if np.bincount(positions, minlength=count).max() > 1:
        raise ContractError("a position comes twice")


def check_order(positions: npt.NDArray[np.intp], count: int, page_size: int) -> None:
    """Raises `ContractError` unless `check_positions` accepts `positions` and they fill the page."""
    check_positions(positions, count)
    if positions.size < min(page_size, count):
        raise ContractError(
            f"{positions.size} positions given where {count} candidates could fill {page_size} slots"
        )


def _form(value: object) -> str:
    """The dtype and shape of an array; of something else its type."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return f"a {type(value).__name__}"
