import dataclasses

import pytest
import yaml

from experiments.configuration import SceneConfiguration
from experiments.load import MAX_VARIANTS, read_experiments, with_experiments
from foundation.verdicts.gate import VerdictGate
from foundation.verdicts.verdict import Check, Subject, Verdict, encoded
from router.scenes.load import KnownNames, Scenes, read_scenes
from router.scenes.plan import NOWHERE
from router.scenes.problems import SettingsError

KNOWN = KnownNames(("hot", "again"), ("bst",))
SCENES = b"""
defaults: {ranking: {model: bst}}
scenes:
  home: {channels: {hot: {share: 0.5}, again: {share: 0.5}}, backfill: {channel: hot}}
  cart: {candidates: 50}
"""
FILE = "experiments.yaml"


def scenes(content: bytes = SCENES) -> Scenes:
    return read_scenes(content, "scenes.yaml", KNOWN)


def layers(**by_name: dict) -> bytes:
    return yaml.safe_dump({"layers": by_name}).encode()


def experiment(treatment: dict, shares: tuple[int, int] = (500, 500), **more: object) -> dict:
    arms = {"control": {"share_bp": shares[0]}, "treatment": {"share_bp": shares[1], "patch": treatment}}
    return {"arms": arms, **more}


def refused(content: bytes) -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        with_experiments(scenes(), content, FILE, KNOWN)
    assert refusal.value.source == FILE
    return list(refusal.value.problems)


def test_arms_patch_the_scenes_they_concern() -> None:
    planned = with_experiments(
        scenes(),
        layers(recall={"experiments": {"wide": experiment({"candidates": 900}, scenes=["home"])}}),
        FILE,
        KNOWN,
    )
    assert set(planned.plans) == {"home"}
    choices = planned.plans["home"].choices
    assert {key: (choice.arms, choice.settings.candidates) for key, choice in choices.items()} == {
        (NOWHERE,): ({}, 300),
        (0,): ({"wide": "control"}, 300),
        (1,): ({"wide": "treatment"}, 900),
    }
    # Arms that change nothing are the scene itself, so that they share its pipeline.
    assert choices[(0,)].settings is planned["home"]


def test_layers_combine() -> None:
    planned = with_experiments(
        scenes(),
        layers(
            recall={
                "experiments": {"a": experiment({"channels": {"again": {"share": 0.9}}}, scenes=["home"])}
            },
            page={"experiments": {"b": experiment({"page": {"default_size": 7}})}},
        ),
        FILE,
        KNOWN,
    )
    assert len(planned.plans["home"].choices) == 9
    assert len(planned.plans["cart"].choices) == 3
    both = planned.plans["home"].choices[(1, 1)]
    assert both.arms == {"a": "treatment", "b": "treatment"}
    assert both.settings.channels["again"].share == 0.9
    assert both.settings.channels["hot"].share == 0.5
    assert both.settings.page.default_size == 7


def test_null_removes_what_the_scene_has() -> None:
    planned = with_experiments(
        scenes(),
        layers(l={"experiments": {"x": experiment({"backfill": None}, scenes=["home"])}}),
        FILE,
        KNOWN,
    )
    assert planned.plans["home"].choices[(1,)].settings.backfill is None


@pytest.mark.parametrize("content", [b"", b"layers: {}", b"# nothing\n"])
def test_no_experiments_are_none(content: bytes) -> None:
    assert with_experiments(scenes(), content, FILE, KNOWN).plans == {}


X = "layers.l.experiments.x"


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        ({"x": experiment({"candidate": 3})}, f"{X}.arms.treatment.patch.candidate: unknown key"),
        ({"x": experiment({"candidates": "many"})}, f"{X}.arms.treatment.patch.candidates: "),
        (
            {"x": experiment({"channels": {"hut": {}}})},
            f"{X}.arms.treatment.patch.channels.hut: unknown chan",
        ),
        (
            {"x": experiment({"ranking": {"model": "bert"}})},
            f"{X}.arms.treatment.patch.ranking.model: unknown",
        ),
        ({"x": experiment({"prerank": None})}, f"{X}.arms.treatment.patch.prerank: null removes"),
        ({"x": experiment({}, scenes=["home", "hone"])}, f"{X}.scenes[1]: unknown scene"),
        ({"x": experiment({}, shares=(5_000, 5_001))}, f"{X}: first and the arms' share_bp must sum to"),
        ({"x": experiment({}, first=9_500, shares=(500, 1))}, f"{X}: first and the arms' share_bp must sum"),
        ({"x": experiment({}, shares=(0, 1))}, f"{X}.arms.control.share_bp: "),
        ({"x": experiment({}, control="none")}, f"{X}: control must be one of"),
        ({"x": experiment({}, colour=1)}, f"{X}.colour: unknown key"),
        ({"x": {"arms": {"only": {"share_bp": 5}}}}, f"{X}.arms: "),
        ({"x": experiment({}), "y": experiment({}, first=999)}, "layers.l.experiments.y.first: bucket 999 "),
        ({"no name": experiment({})}, "layers: an experiment's name"),
        ({"a" * 25: experiment({})}, "layers: an experiment's name"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(layer: dict, problem: str) -> None:
    problems = refused(layers(l={"experiments": layer}))
    assert any(found.startswith(problem) for found in problems), problems


def test_everything_wrong_with_single_arms_is_named_at_once() -> None:
    both = {
        "arms": {
            "a": {"share_bp": 1, "patch": {"candidates": 0}},
            "b": {"share_bp": 1, "patch": {"oversample": 99.0}},
        }
    }
    problems = refused(layers(l={"experiments": {"x": both}}))
    for arm, key in (("a", "candidates"), ("b", "oversample")):
        assert any(found.startswith(f"{X}.arms.{arm}.patch.{key}: ") for found in problems)


def test_a_combination_that_is_no_scene_is_refused() -> None:
    problems = refused(
        layers(
            one={"experiments": {"a": experiment({"deadline": {"recall_share": 0.85}})}},
            two={"experiments": {"b": experiment({"deadline": {"rerank_share": 0.2}})}},
        )
    )
    assert any(
        "recall_share and rerank_share" in found and "treatment, treatment" in found for found in problems
    )


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"candidates": 10}, {"candidates": 20}),
        ({"page": {"max_size": 30}}, {"page": {"max_size": 40}}),
        ({"backfill": None}, {"backfill": {"limit": 9}}),
    ],
)
def test_two_layers_may_not_patch_the_same_key(one: dict, two: dict) -> None:
    together = {
        "one": {"experiments": {"a": experiment(one)}},
        "two": {"experiments": {"b": experiment(two, scenes=["home"])}},
    }
    problems = refused(layers(**together))
    assert any("put both experiments into one layer" in found and "scene home" in found for found in problems)
    apart = {
        "one": {"experiments": {"a": experiment(one, scenes=["cart"])}},
        "two": {"experiments": {"b": experiment(two, scenes=["home"])}},
    }
    if one != {"backfill": None}:
        assert set(with_experiments(scenes(), layers(**apart), FILE, KNOWN).plans) == {"home", "cart"}


def test_names_are_unique_across_layers() -> None:
    twice = {"experiments": {"same": experiment({})}}
    (problem,) = refused(layers(one=twice, two=twice))
    assert "experiment same is in the layers one and two" in problem


def test_the_number_of_pipelines_is_bounded() -> None:
    arms = {f"arm-{n}": {"share_bp": 1} for n in range(8)}
    many = {
        name: {"experiments": {f"x-{name}": {"arms": arms, "scenes": ["home"]}}} for name in ("one", "two")
    }
    (problem,) = refused(layers(**many))
    assert f"81 ways; at most {MAX_VARIANTS}" in problem


def test_layers_are_few_enough_for_a_token() -> None:
    problems = refused(layers(**{f"l{n}": {"experiments": {f"x{n}": experiment({})}} for n in range(4)}))
    assert problems[0].startswith("layers: ")


@pytest.mark.parametrize("content", [b"layers: [", b"- a", b"\xff", b"layers: {a: {}}", b"layer: {}"])
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(SettingsError, match=FILE):
        read_experiments(content, FILE)


def test_a_patch_needs_a_verdict_where_one_is_required(tmp_path) -> None:
    content = layers(l={"experiments": {"x": experiment({"candidates": 900})}})
    gate = VerdictGate(tmp_path)
    with pytest.raises(SettingsError) as refusal:
        with_experiments(scenes(), content, FILE, KNOWN, gate)
    assert len(refusal.value.problems) == 2
    assert (
        "layers.l.experiments.x.arms.treatment.patch: this patch of scene home was not tested"
        in (refusal.value.problems[0])
    )
    for scene, passed in (("home", True), ("cart", False)):
        subject = Subject("scene", scene=scene, patch={"candidates": 900})
        checks = [Check("pages filled", "pass" if passed else "fail", "9 % are empty")]
        verdict = Verdict(subject=subject, passed=passed, checks=checks, made_at="", snapshot="")
        (tmp_path / subject.file_name).write_bytes(encoded(verdict))
    with pytest.raises(SettingsError) as refusal:
        with_experiments(scenes(), content, FILE, KNOWN, gate)
    assert [problem.partition(": ")[2] for problem in refusal.value.problems] == [
        "this patch of scene cart failed the sandbox test: pages filled: 9 % are empty"
    ]
    tested = layers(l={"experiments": {"x": experiment({"candidates": 900}, scenes=["home"])}})
    assert set(with_experiments(scenes(), tested, FILE, KNOWN, gate).plans) == {"home"}
    scene_file, path = tmp_path / "scenes.yaml", tmp_path / FILE
    scene_file.write_bytes(SCENES)
    path.write_bytes(tested)
    configuration = SceneConfiguration(scenes, path, KNOWN, gate)
    assert set(configuration.load(scene_file).plans) == {"home"}
    with pytest.raises(SettingsError, match="failed the sandbox test"):
        configuration.with_experiments(content)


def test_an_edit_of_either_file_is_checked_against_the_other(tmp_path) -> None:
    path = tmp_path / FILE
    path.write_bytes(
        layers(l={"experiments": {"x": experiment({"channels": {"again": {"share": 1.0}}}, scenes=["home"])}})
    )
    scene_file = tmp_path / "scenes.yaml"
    scene_file.write_bytes(SCENES)
    configuration = SceneConfiguration(scenes, path, KNOWN)
    first = configuration.load(scene_file)
    assert set(first.plans) == {"home"}
    with pytest.raises(SettingsError, match="unknown scene"):
        configuration.with_scenes(SCENES.replace(b"home:", b"start:"))
    edited = configuration.with_scenes(SCENES.replace(b"50", b"60"))
    configuration.take_up()
    assert (edited["cart"].candidates, set(edited.plans)) == (60, {"home"})
    ended = configuration.with_experiments(b"layers: {}")
    assert (ended["cart"].candidates, ended.plans) == (60, {})
    assert len({first.digest, edited.digest, ended.digest}) == 3
    assert dataclasses.replace(ended).by_name is not edited.by_name


def test_a_file_that_is_not_there_holds_no_experiments(tmp_path) -> None:
    scene_file = tmp_path / "scenes.yaml"
    scene_file.write_bytes(SCENES)
    for path in (None, tmp_path / FILE):
        assert SceneConfiguration(scenes, path, KNOWN).load(scene_file).plans == {}
