"""The steps of an evaluation, for those who show how far it is."""

from __future__ import annotations

from collections.abc import Callable

STEPS = (
    "reading the log",
    "item-CF",
    "ranking table",
    "building channels",
    "recall table",
    "channel table",
    "prerank table",
    "anchor tables",
    "cart table",
    "search table",
    "served pages",
    "newcomers",
    "visits",
    "venues",
)

StepProgress = Callable[[str, int, int], None]
"""Told (step, done, of) before each of `STEPS` and, with an empty step, at the end."""


def no_progress(step: str, done: int, of: int) -> None:
    """A `StepProgress` that shows nothing."""
