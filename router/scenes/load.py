"""Reads and checks the scene configuration file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from features.shop_fit.auto import AUTO
from recall.again import NAME as AGAIN
from router.fusion.registry import FUSIONS
from router.page.settings import PageArrangementSettings
from router.scenes import problems
from router.scenes.components import COMPONENTS
from router.scenes.merge_patch import idle_removals, merge_patch
from router.scenes.page_part import read_page
from router.scenes.plan import ScenePlan
from router.scenes.problems import SettingsError, dotted, explain
from router.scenes.ranking_parts import check_ranking, read_ranking
from router.scenes.settings import SceneSettings
from router.scenes.yaml_tree import YamlError, parse

TOP_KEYS = ("defaults", "page", "scenes")
SCENE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def registered_settings() -> dict[str, dict[str, type[BaseModel]]]:
    """Settings type by component name, by the scene's key, of all components registered now."""
    return {
        key: {name: kind.settings for name, kind in registry.items()} for key, registry in COMPONENTS.items()
    }


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names a scene may use.

    channels    channels
    models      models that may score, in ranking and in prerank; None = any
    components  settings type by component name, by the scene's key: filters, fusion, rerank
    """

    channels: Collection[str]
    models: Collection[str] | None = None
    components: Mapping[str, Mapping[str, type[BaseModel]]] = field(default_factory=registered_settings)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Every scene of one configuration file.

    by_name  settings by scene, in the file's order
    source   the file
    digest   SHA-256 of its bytes, and of those of the experiments file where there is one, in hexadecimal
    raw      each scene as the file has it, defaults merged in
    plans    experiments by scene
    page     how the scenes of one answer are arranged together
    """

    by_name: Mapping[str, SceneSettings]
    source: str
    digest: str
    raw: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plans: Mapping[str, ScenePlan] = field(default_factory=dict)
    page: PageArrangementSettings = field(default_factory=PageArrangementSettings)

    def __getitem__(self, name: str) -> SceneSettings:
        """The scene `name`; KeyError where there is none."""
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a scene `name`."""
        return name in self.by_name

    def __iter__(self) -> Iterator[str]:
        """Names of the scenes, in the file's order."""
        return iter(self.by_name)

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self.by_name)


def load_scenes(path: Path, known: KnownNames) -> Scenes:
    """The scenes of the file at `path`, every key checked.

    Raises `SettingsError` naming every key that is wrong by its dotted path, and OSError where the file
    cannot be read.
    """
    return read_scenes(path.read_bytes(), str(path), known)


def read_scenes(content: bytes, source: str, known: KnownNames) -> Scenes:
    """As `load_scenes`, of a file's bytes; `source` is how messages call it."""
    try:
        raw = parse(content.decode("utf-8"))
    except (UnicodeDecodeError, YamlError) as error:
        raise SettingsError(source, [str(error)]) from error
    defaults, scenes = _sections(source, raw)
    found: list[str] = []
    page = read_page(raw.get("page"), found)
    by_name: dict[str, SceneSettings] = {}
    for name, patch in scenes.items():
        settings = _Scene(name, defaults, patch, found).read(known)
        if settings is not None:
            by_name[name] = settings
    if found:
        raise SettingsError(source, list(dict.fromkeys(found)))
    raw_by_name = {name: merge_patch(defaults, patch) for name, patch in scenes.items()}
    return Scenes(by_name, source, hashlib.sha256(content).hexdigest(), raw_by_name, page=page)


def read_patched(
    raw: Mapping[str, Any],
    patch: Mapping[str, Any],
    where: problems.Path,
    known: KnownNames,
    found: list[str],
) -> SceneSettings | None:
    """The settings of a scene changed by `patch`; None where they are wrong, which is added to `found`.

    raw    the scene as its file has it (`Scenes.raw`)
    where  path of the patch in its own file, for messages
    """
    return _Scene("", dict(raw), dict(patch), found, where).read(known)


def _sections(source: str, raw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if not isinstance(raw, dict):
        raise SettingsError(source, ["a mapping with the key scenes is expected; the file holds none"])
    found = [f"{key}: {problems.unknown('key', key, TOP_KEYS)}" for key in raw if key not in TOP_KEYS]
    defaults, scenes = raw.get("defaults") or {}, raw.get("scenes")
    if not isinstance(defaults, dict):
        found.append("defaults: a mapping of scene keys is expected")
    if not isinstance(scenes, dict) or not scenes:
        found.append("scenes: a mapping with at least one scene is expected")
    else:
        for name, patch in scenes.items():
            if not SCENE_NAME.fullmatch(name):
                found.append(
                    f"scenes.{name}: a scene's name is a letter, then at most 63 letters, digits or _ . -"
                )
            if not isinstance(patch, dict):
                found.append(f"scenes.{name}: a mapping of scene keys is expected; {{}} takes every default")
    if found or not isinstance(scenes, dict):
        raise SettingsError(source, found)
    return defaults, scenes


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene being read; what is wrong with it is added to `found`."""

    name: str
    defaults: dict[str, Any]
    patch: dict[str, Any]
    found: list[str]
    patched_at: problems.Path = ()
    """Where the patch is, if not in the scene file."""

    def read(self, known: KnownNames) -> SceneSettings | None:
        """The scene's settings; None where something is wrong with them."""
        before = len(self.found)
        for path in idle_removals(self.defaults, self.patch):
            self.problem(
                path, "null removes what defaults set, and they set nothing here; {} takes every default"
            )
        merged = merge_patch(self.defaults, self.patch)
        for key, types in known.components.items():
            raw = merged.pop(key, None)
            if raw is not None:
                read = self.components(key, COMPONENTS[key].concept, raw, types)
                # Where every name is wrong, the default spares a second message about the same key.
                if read or raw == {}:
                    merged[key] = read
        if "ranking" in merged:
            merged["ranking"] = read_ranking(merged["ranking"], self.problem, self.locate, self.found)
        if isinstance(channels := merged.get("channels"), dict):
            for name in channels:
                if name not in known.channels:
                    self.problem(("channels", name), problems.unknown("channel", name, known.channels))
        try:
            settings = SceneSettings.model_validate(merged)
        except ValidationError as error:
            self.found.extend(explain(error, SceneSettings, self.locate))
            return None
        self.check_names(settings, known.channels, known.models)
        return settings if len(self.found) == before else None

    def components(
        self, key: str, kind: str, raw: Any, known: Mapping[str, type[BaseModel]]
    ) -> dict[str, BaseModel]:
        """Settings by component name, each of the type that `known` names."""
        if not isinstance(raw, dict):
            self.problem((key,), f"a mapping of {kind} names to their settings is expected, got {raw!r}")
            return {}
        read: dict[str, BaseModel] = {}
        for name, settings in raw.items():
            model = known.get(name)
            if model is None:
                self.problem((key, name), problems.unknown(kind, name, known))
            elif not isinstance(settings, dict):
                self.problem((key, name), f"a mapping is expected ({{}} for no settings), got {settings!r}")
            else:
                try:
                    read[name] = model.model_validate(settings)
                except ValidationError as error:
                    self.found.extend(explain(error, model, self.locate, within=(key, name)))
        return read

    def check_names(
        self, settings: SceneSettings, channels: Collection[str], models: Collection[str] | None
    ) -> None:
        """Checks that the channels and the models that the scene's parts name exist."""
        ((fusion, fusion_settings),) = settings.fusion.items()
        for name, part in settings.channels.items():
            if part.share == AUTO and name != AGAIN:
                self.problem(("channels", name, "share"), f"{AUTO} is known of {AGAIN} alone; name a share")
        for key, channel in FUSIONS[fusion].channels(fusion_settings):
            if channel not in settings.channels:
                expected = problems.unknown("channel of this scene", channel, settings.channels)
                self.problem(("fusion", fusion, key, channel), expected)
        if settings.backfill is not None and settings.backfill.channel not in channels:
            name = settings.backfill.channel
            self.problem(("backfill", "channel"), problems.unknown(f"channel {name}", name, channels))
        check_ranking(settings.ranking, models, self.problem)
        if models is not None and settings.prerank is not None and settings.prerank.model not in models:
            name = settings.prerank.model
            self.problem(("prerank", "model"), problems.unknown(f"model {name}", name, models))

    def problem(self, path: problems.Path, expected: str) -> None:
        """Notes what is wrong at `path` of this scene."""
        self.found.append(f"{dotted(self.locate(path))}: {expected}")

    def locate(self, path: problems.Path) -> problems.Path:
        """Where in the file the value at `path` of this scene comes from: the scene or the defaults."""
        if self.patched_at:
            return (*self.patched_at, *path)
        if not _reaches(self.patch, path) and _reaches(self.defaults, path):
            return ("defaults", *path)
        return ("scenes", self.name, *path)


def _reaches(tree: Any, path: problems.Path) -> bool:
    for part in path:
        is_key = isinstance(tree, dict) and part in tree
        is_position = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        if not (is_key or is_position):
            return False
        tree = tree[part]
    return True
