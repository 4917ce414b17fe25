"""The registration of a merge of several scorers' columns into the one score that orders candidates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pipeline.stages import Merge


def no_columns(settings: Any) -> tuple[str, ...]:
    """For merges whose settings name no column."""
    return ()


@dataclass(frozen=True, slots=True)
class MergeKind:
    """A registered merge.

    settings  type of its settings in a scene's `ranking.merge`
    create    settings → the merge
    columns   settings → names of the columns that they mention, as "<scorer>.<column>"; a name that no
              scorer of the scene gives is refused when the configuration is read
    """

    settings: type[BaseModel]
    create: Callable[[Any], Merge]
    columns: Callable[[Any], Collection[str]] = no_columns
