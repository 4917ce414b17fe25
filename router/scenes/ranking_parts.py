"""Reads the scorers and the merge of a scene's `ranking`, each by the settings of its registration."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from registration.registry import Registry
from router.ranking.merge_kind import MergeKind
from router.ranking.registry import MERGES, SCORERS
from router.ranking.scorer_kind import ScorerKind
from router.ranking.triton_model import TritonModelSettings
from router.scenes import problems
from router.scenes.problems import explain
from router.scenes.ranking_settings import MergeChoice, RankingSettings, SceneScorer

Note = Callable[[problems.Path, str], None]
Locate = Callable[[problems.Path], problems.Path]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED = ("candidate", "partial", "rank")
"""Answers name other things "ranking:candidate" and "ranking:partial", candidates have columns "rank.…"."""
_OWN_KEYS = ("scorer", "timeout_ms")


def read_ranking(raw: Any, note: Note, locate: Locate, found: list[str]) -> Any:
    """What a scene's key `ranking` contains, its scorers and merge read into settings.

    Args:
        raw: the value of the key; returned as it is where it is not a mapping.
        note: adds a problem, by its path in the scene.
        locate: where the value at a path of the scene comes from.
        found: problems of values are added here.
    """
    if not isinstance(raw, dict):
        return raw
    read = dict(raw)
    for key, part in (("scorers", _scorer), ("merge", _merge)):
        if raw.get(key) is None:
            read.pop(key, None)
        elif not isinstance(raw[key], dict):
            note(("ranking", key), f"a mapping of names to their settings is expected, got {raw[key]!r}")
            read.pop(key)
        else:
            parts = {name: part(name, value, note, locate, found) for name, value in raw[key].items()}
            read[key] = {name: each for name, each in parts.items() if each is not None}
    if isinstance(read.get("merge"), dict):
        read["merge"] = _only(read.pop("merge"), raw["merge"], note)
    return {key: value for key, value in read.items() if value is not None}


def check_ranking(ranking: RankingSettings, models: Collection[str] | None, note: Note) -> None:
    """Notes models and columns that are not there.

    models  those that may score; None = any
    """
    if models is not None and ranking.names_model and ranking.model not in models:
        note(("ranking", "model"), problems.unknown(f"model {ranking.model}", ranking.model, models))
    for name, scorer in ranking.scorers.items():
        settings = scorer.settings
        if models is None or not isinstance(settings, TritonModelSettings) or settings.model is None:
            continue
        if settings.model not in models:
            note(
                ("ranking", "scorers", name, "model"),
                problems.unknown(f"model {settings.model}", settings.model, models),
            )
    if ranking.merge is None:
        return
    if not ranking.scorers:
        note(("ranking", "merge"), "there is nothing to merge: ranking.scorers names no scorer")
        return
    known = [
        f"{name}.{column}"
        for name, scorer in ranking.scorers.items()
        for column in SCORERS[scorer.scorer].columns
    ]
    for column in MERGES[ranking.merge.name].columns(ranking.merge.settings):
        if column not in known:
            note(("ranking", "merge", ranking.merge.name), problems.unknown("column", column, known))


def _scorer(name: str, raw: Any, note: Note, locate: Locate, found: list[str]) -> SceneScorer | None:
    path = ("ranking", "scorers", name)
    if not _NAME.fullmatch(name) or name in _RESERVED:
        note(
            path,
            f"a scorer's name is a small letter, then small letters, digits or _; not {', '.join(_RESERVED)}",
        )
        return None
    if not isinstance(raw, dict):
        note(path, f"a mapping is expected ({{}} for no settings), got {raw!r}")
        return None
    kind = raw.get("scorer", name)
    settings = _settings(
        SCORERS,
        kind,
        {key: value for key, value in raw.items() if key not in _OWN_KEYS},
        path,
        note,
        locate,
        found,
    )
    own = {"scorer": kind, "settings": settings} | {
        key: raw[key] for key in _OWN_KEYS if key in raw and key != "scorer"
    }
    if settings is None:
        return None
    try:
        return SceneScorer.model_validate(own)
    except ValidationError as error:
        found.extend(explain(error, SceneScorer, locate, within=path))
        return None


def _merge(name: str, raw: Any, note: Note, locate: Locate, found: list[str]) -> MergeChoice | None:
    path = ("ranking", "merge", name)
    if not isinstance(raw, dict):
        note(path, f"a mapping is expected ({{}} for no settings), got {raw!r}")
        return None
    settings = _settings(MERGES, name, raw, path, note, locate, found)
    return None if settings is None else MergeChoice(name=name, settings=settings)


def _settings(
    registry: Registry[ScorerKind] | Registry[MergeKind],
    name: Any,
    raw: Mapping[str, Any],
    path: tuple[str, ...],
    note: Note,
    locate: Locate,
    found: list[str],
) -> BaseModel | None:
    if name not in registry:
        note(path, problems.unknown(registry.concept, str(name), registry))
        return None
    model = registry[name].settings
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found.extend(explain(error, model, locate, within=path))
        return None


def _only(read: dict[str, MergeChoice], raw: Mapping[str, Any], note: Note) -> MergeChoice | None:
    if len(raw) != 1:
        note(("ranking", "merge"), f"one merge with its settings is expected, got {len(raw)}")
        return None
    return next(iter(read.values()), None)
