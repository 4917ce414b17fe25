"""Writes docs/manual/scene_settings.md: every key of a scene and of the components that one may name.

    python -m docs.scene_settings_page

Keys, defaults and meanings are those of the settings models; what a component does is the docstring of its
settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inspection.setting_rows import allowed_of, default_of
from router.filters.registry import FILTERS
from router.fusion.registry import FUSIONS
from router.page.registry import PAGE_RERANKERS
from router.ranking.registry import MERGES, SCORERS
from router.rerank.registry import RERANKERS
from router.scenes.settings import SceneSettings

PAGE = Path(__file__).resolve().parent / "manual" / "scene_settings.md"
INTRODUCTION = """# Settings of scenes

Every key of `config/scenes.yaml`, as the code declares it; `make docs` writes this page. The console's page
*Scenes* shows the same of a running router, with plug-ins. A scene inherits `defaults` by JSON Merge Patch
(RFC 7396): mappings merge, `null` removes, anything else replaces. The defaults below are the built-in ones;
the `defaults` and the scenes of `config/scenes.yaml` choose others, and say why.

A scene names components (filters, rerankers, a fusion, scorers, a merge) with their settings, `{}` for none:
`filters: {adult: {}, already_bought: {window_days: 7.0}}`. Filters and rerankers run in the file's order.
"""
HEAD = "| key | default | allowed | meaning |\n|---|---|---|---|\n"
COMPONENTS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("Fusions: `fusion`", "One of them.", FUSIONS),
    (
        "Filters: `filters`",
        "A filter removes candidates; the trace counts what it removes by its name.",
        FILTERS,
    ),
    ("Scorers: `ranking.scorers`", "Each gives one or more columns, named `<scorer>.<column>`.", SCORERS),
    (
        "Merges: `ranking.merge`",
        "One of them makes a score of the scorers' columns; without one `first`.",
        MERGES,
    ),
    ("Rerankers: `rerank`", "A reranker arranges the page of one scene.", RERANKERS),
    (
        "Page rerankers: `page.rerank`, beside `scenes`",
        "A page reranker arranges the scenes of one answer.",
        PAGE_RERANKERS,
    ),
)


def scene_settings_page() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION, "\n## A scene\n\n", HEAD, *_rows(SceneSettings, "")]
    for title, about, registry in COMPONENTS:
        parts.append(f"\n## {title}\n\n{about}\n")
        for name, kind in registry.items():
            does = " ".join((kind.settings.__doc__ or "").split())
            rows = "".join(_rows(kind.settings, ""))
            parts += [f"\n### {name}\n\n{does}\n", f"\n{HEAD}{rows}" if rows else ""]
    return "".join(parts)


def _rows(settings: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in settings.model_fields.items():
        key = f"{path}{name}"
        inner, between = _section(field.annotation)
        # A field without a description is how the code holds a component's settings, not a key of the file.
        if field.description:
            always = inner is not None and isinstance(field.annotation, type)
            yield _row(key, field, with_default=not always)
            if inner is not None:
                yield from _rows(inner, f"{key}{between}.")


def _section(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The settings that a field holds, or None, and what is between its key and theirs."""
    if isinstance(annotation, type):
        return (
            (annotation, "")
            if issubclass(annotation, BaseModel) and annotation is not BaseModel
            else (None, "")
        )
    between = {dict: ".<name>", list: "[]"}.get(get_origin(annotation), "")
    for each in get_args(annotation):
        inner, further = _section(each)
        if inner is not None:
            return inner, between + further
    return None, ""


def _row(key: str, field: FieldInfo, *, with_default: bool) -> str:
    default = f"`{default_of(field)}`" if with_default and not field.is_required() else ""
    meaning = " ".join((field.description or "").split()).replace("<", "\\<")
    cells = [f"`{key}`", default, allowed_of(field), meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(scene_settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
