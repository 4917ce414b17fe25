"""The registration of a merge of several scorers' columns into the one score that orders candidates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pipeline.stages import Merge


def no_columns(settings: Any) -> tuple[str, ...]:
    """For merges whose settings name no column."""
    return ()


def as_created(merge: Merge, tables: Mapping[str, Any]) -> Merge:
    """For merges of which nothing is fitted."""
    return merge


@dataclass(frozen=True, slots=True)
class MergeKind:
    """A registered merge.

    settings  type of its settings in a scene's `ranking.merge`
    create    settings → the merge
    columns   settings → names of the columns that they mention, as "<scorer>.<column>"; a name that no
              scorer of the scene gives is refused when the configuration is read
    fitted    (merge, open learned tables of the snapshot by name) → the merge with what was fitted for
              it when the snapshot was built
    """

    settings: type[BaseModel]
    create: Callable[[Any], Merge]
    columns: Callable[[Any], Collection[str]] = no_columns
    fitted: Callable[[Any, Mapping[str, Any]], Merge] = as_created
