"""Reads and checks the experiments file against the scenes that serve."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from experiments.settings import ExperimentSettings, ExperimentsFile
from foundation.verdicts.gate import VerdictGate
from foundation.verdicts.verdict import Subject
from router.scenes import problems
from router.scenes.load import KnownNames, Scenes, read_patched
from router.scenes.plan import NOWHERE, Arms, Choice, PlannedArm, PlannedLayer, ScenePlan
from router.scenes.problems import SettingsError, dotted, explain
from router.scenes.yaml_tree import YamlError, parse

MAX_VARIANTS = 64
"""Combinations of arms in one scene; each has a pipeline of its own."""


def read_experiments(content: bytes, source: str) -> ExperimentsFile:
    """The experiments in a file's bytes, checked by themselves; empty bytes hold none.

    Raises `SettingsError` naming every key that is wrong by its dotted path; `source` is how it calls the
    file.
    """
    try:
        raw = parse(content.decode("utf-8")) or {}
    except (UnicodeDecodeError, YamlError) as error:
        raise SettingsError(source, [str(error)]) from error
    if not isinstance(raw, dict):
        raise SettingsError(source, ["a mapping with the key layers is expected"])
    try:
        file = ExperimentsFile.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(source, explain(error, ExperimentsFile, lambda path: path)) from error
    found = list(_overlaps(file))
    if found:
        raise SettingsError(source, found)
    return file


def with_experiments(
    scenes: Scenes, content: bytes, source: str, known: KnownNames, verdicts: VerdictGate | None = None
) -> Scenes:
    """The scenes with the experiments of a file's bytes, planned for each scene they concern.

    known     as the scenes were read with
    verdicts  of which every patch needs one that passed, in each of its scenes; None = it needs none

    Raises `SettingsError` naming every key that is wrong by its dotted path: unknown scenes, patches that
    give no valid scene, alone or together with another layer's, two layers that patch the same key, and
    patches that were not tested or failed.
    """
    file = read_experiments(content, source)
    found = [*_unknown_scenes(file, scenes), *_conflicts(file, scenes)]
    plans: dict[str, ScenePlan] = {}
    if not found:
        for scene in scenes:
            plan = _plan(file, scenes, scene, known, found)
            if plan is not None:
                plans[scene] = plan
    if not found and verdicts is not None:
        found += _untested(file, scenes, verdicts)
    if found:
        raise SettingsError(source, list(dict.fromkeys(found)))
    digest = hashlib.sha256(f"{scenes.digest} {hashlib.sha256(content).hexdigest()}".encode()).hexdigest()
    # A new mapping, by which a change is known although the scenes are the same.
    return replace(scenes, by_name=dict(scenes.by_name), digest=digest, plans=plans)


def _plan(
    file: ExperimentsFile, scenes: Scenes, scene: str, known: KnownNames, found: list[str]
) -> ScenePlan | None:
    """The plan of one scene; None where no experiment concerns it, or something is wrong."""
    layers = []
    for name, layer in file.layers.items():
        arms = [
            arm
            for experiment, settings in layer.experiments.items()
            if _concerns(settings, scene) and not settings.paused
            for arm in _arms(experiment, settings)
        ]
        if arms:
            layers.append((name, PlannedLayer.of(layer.salt or name, arms)))
    if not layers:
        return None
    positions = [range(NOWHERE, len(layer.arms)) for _, layer in layers]
    count = 1
    for several in positions:
        count *= len(several)
    if count > MAX_VARIANTS:
        found.append(
            f"layers: the arms of scene {scene} can be combined in {count} ways; at most {MAX_VARIANTS} are "
            "possible: end an experiment, or move it to another's layer"
        )
        return None
    choices: dict[Arms, Choice] = {}
    # Single arms come first, so that its fault is not reported for each combination with it.
    before = len(found)
    for key in sorted(itertools.product(*positions), key=_arms_in):
        if _arms_in(key) > 1 and len(found) > before:
            return None
        choice = _choice(layers, key, scenes, scene, known, found)
        if choice is not None:
            choices[key] = choice
    return ScenePlan(tuple(layer for _, layer in layers), choices) if len(found) == before else None


def _choice(
    layers: list[tuple[str, PlannedLayer]],
    key: Arms,
    scenes: Scenes,
    scene: str,
    known: KnownNames,
    found: list[str],
) -> Choice | None:
    taken = [
        (name, layer.arms[position])
        for (name, layer), position in zip(layers, key, strict=True)
        if position != NOWHERE
    ]
    arms = {arm.experiment: arm.name for _, arm in taken}
    patch: Any = {}
    for _, arm in taken:
        # A plain union: layers do not patch the same key, and null must stay null for the scene.
        patch = _united(patch, arm.patch)
    if not patch:
        return Choice(arms, scenes[scene])
    name, arm = taken[0]
    where = ("layers", name, "experiments", arm.experiment, "arms", arm.name, "patch")
    before = len(found)
    settings = read_patched(scenes.raw[scene], patch, where, known, found)
    if settings is None:
        together = f" (with {', '.join(arms.values())})" if len(arms) > 1 else ""
        found[before:] = [f"{problem}, in scene {scene}{together}" for problem in found[before:]]
        return None
    return Choice(arms, settings)


def _arms(name: str, settings: ExperimentSettings) -> Iterator[PlannedArm]:
    first = settings.first
    for arm, arm_settings in settings.arms.items():
        yield PlannedArm(name, arm, first, first + arm_settings.share_bp, arm_settings.patch)
        first += arm_settings.share_bp


def _arms_in(key: Arms) -> int:
    return sum(position != NOWHERE for position in key)


def _concerns(settings: ExperimentSettings, scene: str) -> bool:
    return settings.scenes is None or scene in settings.scenes


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    united = dict(one)
    for key, value in other.items():
        present = united.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            united[key] = _united(present, value)
        else:
            united[key] = value
    return united


def _overlaps(file: ExperimentsFile) -> Iterator[str]:
    for layer, settings in file.layers.items():
        taken = sorted(
            (experiment.first, experiment.end, name) for name, experiment in settings.experiments.items()
        )
        for (_, end, name), (first, _, other) in itertools.pairwise(taken):
            if first < end:
                yield (
                    f"{dotted(('layers', layer, 'experiments', other, 'first'))}: bucket {first} belongs to "
                    f"experiment {name}, which ends before {end}; experiments of a layer share no shopper"
                )


def _unknown_scenes(file: ExperimentsFile, scenes: Scenes) -> Iterator[str]:
    for layer, settings in file.layers.items():
        for name, experiment in settings.experiments.items():
            for position, scene in enumerate(experiment.scenes or ()):
                if scene not in scenes:
                    path = dotted(("layers", layer, "experiments", name, "scenes", position))
                    yield f"{path}: {problems.unknown('scene', scene, scenes)}"


def _untested(file: ExperimentsFile, scenes: Scenes, verdicts: VerdictGate) -> Iterator[str]:
    """Patches without a verdict that passed, in any of their scenes."""
    for layer, settings in file.layers.items():
        for name, experiment in settings.experiments.items():
            for arm, arm_settings in experiment.arms.items():
                path = dotted(("layers", layer, "experiments", name, "arms", arm, "patch"))
                for scene in scenes if arm_settings.patch else ():
                    if not _concerns(experiment, scene):
                        continue
                    if refusal := verdicts.refusal(Subject("scene", scene=scene, patch=arm_settings.patch)):
                        yield f"{path}: {refusal}"


def _conflicts(file: ExperimentsFile, scenes: Scenes) -> Iterator[str]:
    """Keys that arms of two layers patch in the same scene: which of the two would hold is anyone's guess."""
    for scene in scenes:
        patched: dict[tuple[str, ...], str] = {}
        for layer, settings in file.layers.items():
            here: dict[tuple[str, ...], str] = {}
            for name, experiment in settings.experiments.items():
                if not _concerns(experiment, scene):
                    continue
                for arm, arm_settings in experiment.arms.items():
                    where = dotted(("layers", layer, "experiments", name, "arms", arm, "patch"))
                    here |= dict.fromkeys(_leaves(arm_settings.patch), where)
            for path, where in here.items():
                for other, elsewhere in patched.items():
                    if path[: len(other)] == other or other[: len(path)] == path:
                        yield (
                            f"{where}.{dotted(path)}: {elsewhere} patches it too, in scene {scene}; put both "
                            "experiments into one layer"
                        )
            patched |= here


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)
