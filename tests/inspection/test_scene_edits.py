"""Edits of a scene file's text: what is set, what stays, what is refused; and the history of changes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection.scene_edits.edit_text import Edit, EditError, edited
from inspection.scene_edits.history import Change, SceneHistory
from inspection.scene_edits.scene_file import SceneFile, digest_of
from recall.registry import CHANNELS
from router.errors import CallerError, PreconditionError, RaceLostError
from router.scenes.load import KnownNames, read_scenes
from router.scenes.problems import SettingsError
from router.scenes.watch import SceneWatch
from router.scenes.yaml_tree import YamlError
from shopfront.workspace import PROJECT

TEXT = (PROJECT / "config" / "scenes.yaml").read_text()
KEYS = st.sampled_from(["a", "b c", "d: e", "#f", "on", "ü", "1"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-9, 9)
    | st.text("ab #:-[]{}'\"\n", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


RULES = [{"by": "brand", "window": 5, "max": 1}]


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("home.channels.mind.share", 0.25, "      mind: {share: 0.25, k: 300, timeout_ms: 80.0}"),
        ("home.channels.mind.enabled", False, "mind: {share: 0.1, k: 300, timeout_ms: 80.0, enabled: false}"),
        ("home.rerank.scatter.rules", RULES, "scatter: {rules: [{by: brand, window: 5, max: 1}]}"),
        ("home.candidates", 200, "    candidates: 200"),
        ("cart.page.default_size", 12, "      default_size: 12"),
        ("complements.rerank.dedup", {"enabled": True}, "      dedup: {enabled: true}"),
        ("home.ranking.merge.log_odds.added", {"x.y": 1.0}, "        log_odds: {added: {x.y: 1.0}}"),
        ("cart.cart", None, "    cart: null"),
    ],
)
def test_one_line_of_the_file_changes_with_a_key(path: str, value: Any, changed: str) -> None:
    way = path.split(".")
    after = edited(TEXT, [Edit(("scenes", *way), value)])
    (new,) = (Counter(after.splitlines()) - Counter(TEXT.splitlines())).elements()
    assert changed in new
    assert comments(after) == comments(TEXT)
    at: Any = yaml.safe_load(after)["scenes"]
    for name in way:
        at = at[name]
    assert at == value


def test_a_list_of_lines_stays_one() -> None:
    text = "a:\n  rules:\n    - {by: x, max: 2}\n    - {by: y, max: 2}\n  other: 1 # stays\n"
    after = edited(text, [Edit(("a", "rules"), [{"by": "z", "max": 1}, {"by": "x", "max": 3}])])
    assert after == "a:\n  rules:\n    - {by: z, max: 1}\n    - {by: x, max: 3}\n  other: 1 # stays\n"


@settings(deadline=None, max_examples=60)
@given(
    tree=st.dictionaries(KEYS, VALUES, min_size=1, max_size=3),
    flow=st.sampled_from([True, False, None]),
    path=st.lists(KEYS, min_size=1, max_size=3),
    value=VALUES,
)
def test_whatever_the_file_an_edit_sets_its_key_and_no_other(
    tree: dict[str, Any], flow: bool | None, path: list[str], value: Any
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    wanted: Any = tree
    for name in path[:-1]:
        wanted = wanted.get(name) if isinstance(wanted, dict) else None
    after = yaml.safe_load(edited(text, [Edit(tuple(path), value)]))
    for name in path[:-1]:
        assert set(after) - {name} == set(tree) - {name}
        assert {key: each for key, each in after.items() if key != name} == {
            key: each for key, each in tree.items() if key != name
        }
        below = tree.get(name)
        after, tree = after[name], below if isinstance(below, dict) else {}
    assert after == tree | {path[-1]: value}


@settings(deadline=None, max_examples=25)
@given(
    tree=st.dictionaries(KEYS, VALUES, min_size=1, max_size=3),
    flow=st.sampled_from([True, False, None]),
    data=st.data(),
)
def test_whatever_the_file_a_removed_key_is_gone_and_no_other(
    tree: dict[str, Any], flow: bool | None, data: st.DataObject
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    path: list[str] = []
    at: Any = tree
    while isinstance(at, dict) and at and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(at))))
        above, at = at, at[path[-1]]
    after = edited(text, [Edit(tuple(path), removes=True)])
    del above[path[-1]]
    assert yaml.safe_load(after) == tree
    assert edited(after, [Edit(tuple(path), removes=True)]) == after


def test_comments_about_the_next_key_stay_where_one_is_removed() -> None:
    text = "a: 1\n# of b\nb:\n  c: 1 # gone\n  d: 2\n# of e\ne: 3\n"
    assert edited(text, [Edit(("b",), removes=True)]) == "a: 1\n# of b\n# of e\ne: 3\n"
    assert edited("# none yet", [Edit(("x", "a"), 1)]) == "# none yet\nx: {a: 1}\n"
    assert edited("", [Edit(("x",), 1), Edit(("y",), removes=True)]) == "x: 1\n"
    assert edited("x: {a: 1, b: 2}\n", [Edit(("x", "a"), removes=True)]) == "x: {b: 2}\n"
    assert edited("x: {a: 1, b: 2}\n", [Edit(("x", "b"), removes=True)]) == "x: {a: 1}\n"
    assert edited("x:\n  a: 1\n", [Edit(("x", "a"), removes=True)]) == "x:\n  {}\n"


@pytest.mark.parametrize(
    "text",
    ["a: &x {k: 1}\nb: *x\n", "base: &x {k: 1}\na: &y\n  <<: *x\n  j: 1\nb: *y\n"],
)
def test_what_cannot_be_set_alone_is_refused(text: str) -> None:
    with pytest.raises(EditError, match=r"b\.k cannot be set alone"):
        edited(text, [Edit(("b", "k"), 2)])
    with pytest.raises(EditError, match="no mapping"):
        edited("- 1\n", [Edit(("a",), 2)])
    with pytest.raises(YamlError, match="twice"):
        edited("a: 1\na: 2\n", [Edit(("a",), 2)])


def scene_file(folder: Path, *, changes: bool = True) -> SceneFile:
    path = folder / "scenes.yaml"
    path.write_text("scenes:\n  home: {channels: {hot: {}}}\n")
    path.chmod(0o644)

    def draft(content: bytes) -> Any:
        return read_scenes(content, str(path), KnownNames(CHANNELS))

    watch = SceneWatch(path, draft, draft(path.read_bytes()), lambda scenes: None)
    history = SceneHistory(folder / "history")
    return SceneFile("router.scenes", path, draft, watch, history, changes, lambda: 1_700_000_000.0)


def test_a_content_is_written_whole_with_what_it_replaced(tmp_path: Path) -> None:
    file = scene_file(tmp_path)
    before = file.read()
    content = before.decode().replace("hot: {}", "hot: {share: 0.5}")
    change = file.write(content, digest_of(before), "ann", "why not")
    assert file.read().decode() == content
    assert file.path.stat().st_mode & 0o777 == 0o644
    assert file.take_up(content.encode()) == ""
    assert file.watch.scenes["home"].channels["hot"].share == 0.5
    assert file.watch.has_decided(content.encode())
    assert file.history.newest(9) == [change]
    assert (change.before, change.operator, change.reason) == (before.decode(), "ann", "why not")
    with pytest.raises(RaceLostError):
        file.write(before.decode(), digest_of(before), "ann", "late")
    with pytest.raises(CallerError, match="already"):
        file.write(content, digest_of(content.encode()), "ann", "again")
    assert "home.channels.hott" in file.take_up(content.replace("hot:", "hott:").encode())
    assert file.watch.scenes["home"].channels["hot"].share == 0.5


def test_a_file_that_is_fixed_or_cannot_be_written_stays_as_it_is(tmp_path: Path) -> None:
    file = scene_file(tmp_path, changes=False)
    before = file.read()
    with pytest.raises(PreconditionError, match=r"inspection\.changes"):
        file.write("scenes: {}", digest_of(before), "ann", "why")
    (tmp_path / "other").mkdir()
    blocked = scene_file(tmp_path / "other")
    (tmp_path / "other" / "history").write_text("no folder")
    with pytest.raises(PreconditionError, match="history"):
        blocked.write("scenes: {}", digest_of(blocked.read()), "ann", "why")
    assert blocked.read() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: [" * 3_000, "scenes.yaml is refused"),
        ("x" * 200_000, "bytes"),
        ("a: &a [1]\nb: [" + "*a, " * 30 + "*a]\n", "aliases"),
        ("\x00", "scenes.yaml is refused"),
        ("scenes: {home: {chanels: {}}}", "did you mean channels"),
    ],
)
def test_contents_that_cannot_be_read_are_refused_at_once(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        scene_file(tmp_path).checked(content)


def test_the_history_keeps_the_newest_and_ignores_what_is_none(tmp_path: Path) -> None:
    history = SceneHistory(tmp_path / "history", kept=3)
    assert history.newest(5) == []
    with history.locked():
        for number in range(5):
            history.add(Change(number, "ann", "why", "a", f"b{number}"))
    assert len(list((tmp_path / "history").glob("*.json"))) == 3
    (tmp_path / "history" / f"{10**12:013d}-{'0' * 12}.json").write_text("[]")
    assert [change.at_ms for change in history.newest(3)] == [4, 3]
    assert history.find("../../etc/passwd") is None
