"""Reads the top-level key `page` of the scene configuration."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from router.page.registry import PAGE_RERANKERS
from router.page.settings import PageArrangementSettings
from router.scenes import problems
from router.scenes.problems import explain


def read_page(raw: Any, found: list[str]) -> PageArrangementSettings:
    """The settings; what is wrong with them is added to `found`, and the defaults are returned for it.

    raw  the value of the key; None where the file does not have it
    """
    if raw is None:
        return PageArrangementSettings()
    if not isinstance(raw, dict):
        found.append(f"page: a mapping with the key rerank is expected, got {raw!r}")
        return PageArrangementSettings()
    read = dict(raw)
    if raw.get("rerank") is None:
        read.pop("rerank", None)
    else:
        read["rerank"] = _rerankers(raw["rerank"], found)
    try:
        return PageArrangementSettings.model_validate(read)
    except ValidationError as error:
        found.extend(explain(error, PageArrangementSettings, lambda path: ("page", *path)))
        return PageArrangementSettings()


def _rerankers(raw: Any, found: list[str]) -> dict[str, BaseModel]:
    if not isinstance(raw, dict):
        found.append(
            f"page.rerank: a mapping of page reranker names to their settings is expected, got {raw!r}"
        )
        return {}
    read: dict[str, BaseModel] = {}
    for name, settings in raw.items():
        if name not in PAGE_RERANKERS:
            expected = problems.unknown(PAGE_RERANKERS.concept, str(name), PAGE_RERANKERS)
            found.append(f"page.rerank.{name}: {expected}")
            continue
        try:
            read[name] = PAGE_RERANKERS[name].settings.model_validate({} if settings is None else settings)
        except ValidationError as error:
            found.extend(
                explain(
                    error,
                    PAGE_RERANKERS[name].settings,
                    lambda path: ("page", "rerank", *path),
                    within=(name,),
                )
            )
    return read
