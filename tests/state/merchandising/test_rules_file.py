"""Merchandisers' rules: every change is validated and audited; routers follow and refuse what is wrong."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot import Catalogue, write_catalogue
from state.merchandising.live_rules import LiveRules
from state.merchandising.plan_terms import PlanTerms
from state.merchandising.rules import NO_RULES, RulesError, decode_rules
from state.merchandising.rules_file import BusinessRulesFile
from tests.snapshot.contents import columns as empty_columns

NOW = 1_700_000_000


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> BusinessRulesFile:
    return BusinessRulesFile(tmp_path / "rules.json", clock)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Items i1…i6; brands a, a, b, b, none, none; category c for all."""
    folder = tmp_path_factory.mktemp("shop")
    columns = empty_columns(6)
    columns["brand"][1:] = [1, 1, 2, 2, 0, 0]
    columns["category"][1:] = 1
    names = {"brand": ["a", "b"], "category": ["c"]}
    write_catalogue(folder / "catalogue", [f"i{i}" for i in range(1, 7)], columns, names, {})
    return Catalogue.open(folder / "catalogue")


def live(file: BusinessRulesFile, catalogue: Catalogue) -> LiveRules:
    rules = LiveRules(file.path)
    rules.consider(rules.content(), catalogue)
    return rules


def test_a_rule_is_added_listed_and_removed_and_every_change_is_audited(
    file: BusinessRulesFile, clock: Clock
) -> None:
    block = file.add("block", "item", "i1", operator="ada", reason="recall of the maker")
    pin = file.add("pin", "brand", "a", operator="bob", reason="deal", scene="home", position=2)
    assert file.list_rules() == (block, pin)
    assert file.list_rules("cart") == (block,)
    clock.now += 5
    assert file.remove("block", "item", "i1", operator="eve", reason="mended") == (block,)
    assert file.remove("block", "item", "i1", operator="eve", reason="again") == ()
    assert file.list_rules() == (pin,)
    lines = [json.loads(line) for line in file.audit_path.read_text().splitlines()]
    assert [(line["change"], line["operator"], line["note"], line["at"] - NOW) for line in lines] == [
        ("add", "ada", "recall of the maker", 0),
        ("add", "bob", "deal", 0),
        ("remove", "eve", "mended", 5),
    ]
    assert lines[2]["rule"]["id"] == block.id


def test_an_expired_rule_does_not_hold_and_leaves_with_the_next_change(
    file: BusinessRulesFile, clock: Clock, catalogue: Catalogue
) -> None:
    file.add("block", "item", "i1", operator="a", reason="r", expires_at=NOW + 10)
    followed = live(file, catalogue)
    assert followed.of(catalogue, "home", NOW + 9).blocked is not None
    assert followed.of(catalogue, "home", NOW + 10).blocked is None
    clock.now += 10
    assert file.list_rules() == ()
    assert len(file.list_rules(expired=True)) == 1
    file.add("block", "item", "i2", operator="a", reason="r")
    assert [rule.value for rule in file.read().rules] == ["i2"]


def test_the_same_rule_again_and_another_pin_of_the_slot_replace(file: BusinessRulesFile) -> None:
    for item in ("i1", "i2"):
        file.add("pin", "item", item, operator="a", reason="r", scene="home", position=1)
    file.add("pin", "item", "i2", operator="a", reason="r", scene="home", position=3)
    file.add("block", "brand", "a", operator="a", reason="one")
    file.add("block", "brand", "a", operator="a", reason="two")
    assert [(rule.action, rule.value, rule.position, rule.reason) for rule in file.list_rules()] == [
        ("pin", "i2", 3, "r"),
        ("block", "a", None, "two"),
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"by": "colour"}, "^by: must be one of item, category"),
        ({"value": ""}, "value"),
        ({"reason": ""}, "reason"),
        ({"position": 1}, "a block has none"),
        ({"action": "pin"}, "a pin needs a position"),
        ({"action": "pin", "position": 1}, "a pin needs a scene"),
        (
            {"action": "pin", "position": 101, "scene": "home"},
            "^position: should be less than or equal to 100",
        ),
        ({"expires_at": NOW}, "expired already"),
        ({"expires_at": NOW * 1_000 + 1_000}, "milliseconds are divided by 1,000"),
        ({"value": "x" * 301}, "value"),
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(
    file: BusinessRulesFile, change: dict[str, object], problem: str
) -> None:
    file.add("block", "item", "i1", operator="a", reason="r")
    before = file.path.read_bytes(), file.audit_path.read_bytes()
    rule = {"action": "block", "by": "item", "value": "i2", "operator": "a", "reason": "r"} | change
    with pytest.raises(RulesError, match=problem):
        file.add(**rule)  # type: ignore[arg-type]
    with pytest.raises(RulesError, match="name the rule"):
        file.remove("block", operator="a", reason="r")
    assert (file.path.read_bytes(), file.audit_path.read_bytes()) == before


def test_changes_at_the_same_time_are_all_kept(file: BusinessRulesFile) -> None:
    def add(item: int) -> None:
        BusinessRulesFile(file.path, Clock()).add("block", "item", f"i{item}", operator="a", reason="r")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(24)))
    assert {rule.value for rule in file.list_rules()} == {f"i{item}" for item in range(24)}
    assert len(file.audit_path.read_text().splitlines()) == 24


def test_blocks_and_pins_mean_items_of_the_catalogue_in_their_scene(
    file: BusinessRulesFile, catalogue: Catalogue
) -> None:
    file.add("block", "item", "i5", operator="a", reason="r")
    file.add("block", "brand", "b", operator="a", reason="r", scene="home")
    file.add("pin", "item", "i2", operator="a", reason="r", scene="home", position=3)
    file.add("pin", "category", "c", operator="a", reason="r", scene="home", position=1)
    rules = live(file, catalogue)
    home, cart = rules.of(catalogue, "home", NOW), rules.of(catalogue, "cart", NOW)
    assert home.blocked is not None
    assert cart.blocked is not None
    assert np.flatnonzero(home.blocked).tolist() == [3, 4, 5]
    assert np.flatnonzero(cart.blocked).tolist() == [5]
    assert [(pin.slot, pin.item, pin.code) for pin in home.pins] == [(0, 0, 1), (2, 2, 2)]
    assert cart.pins == ()
    assert rules.of(catalogue, "home", NOW) is home


def test_unknown_ids_are_accepted_and_said(
    file: BusinessRulesFile, catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    file.add("block", "item", "new", operator="a", reason="r")
    file.add("block", "brand", "z", operator="a", reason="r")
    with caplog.at_level(logging.WARNING):
        rules = live(file, catalogue)
    assert "2 business rules are about what the snapshot does not have" in caplog.text
    assert "item 'new', brand 'z'" in caplog.text
    assert rules.refused is None
    assert rules.of(catalogue, "home", NOW).blocked is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"rules": [{}]}', b"[" * 100_000])
def test_a_wrong_file_is_refused_by_name_and_the_rules_before_serve_until_it_is_good_again(
    file: BusinessRulesFile, catalogue: Catalogue, content: bytes
) -> None:
    file.add("block", "item", "i1", operator="a", reason="r")
    good = file.path.read_bytes()
    rules = live(file, catalogue)
    file.path.write_bytes(content)
    rules.consider(rules.content(), catalogue)
    assert rules.refused is not None
    assert "rules.json" in rules.refused
    blocked = rules.of(catalogue, "home", NOW).blocked
    assert blocked is not None
    assert blocked[1]
    file.path.write_bytes(good)
    rules.consider(rules.content(), catalogue)
    assert rules.refused is None
    file.path.unlink()
    rules.consider(rules.content(), catalogue)
    assert rules.of(catalogue, "home", NOW).blocked is None


@given(st.binary(max_size=300))
def test_any_bytes_are_rules_or_refused(content: bytes) -> None:
    try:
        rules = decode_rules(content, "rules.json")
    except RulesError:
        return
    assert decode_rules(rules.encode(), "rules.json") == rules


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(RulesError, match="has 10,001 rules"):
        decode_rules(b'{"rules": [' + b"1," * 10_000 + b"1]}", "rules.json")
    with pytest.raises(RulesError, match="more than 8,388,608"):
        decode_rules(b" " * ((8 << 20) + 1), "rules.json")
    assert decode_rules(NO_RULES.encode(), "rules.json") == NO_RULES


def test_a_rule_of_an_alert_holds_under_it_alone(
    file: BusinessRulesFile, catalogue: Catalogue, clock: Clock
) -> None:
    who = {"operator": "ada", "reason": "why"}
    file.add("pin", "item", "i2", scene="home", position=1, alert="haze", **who)
    file.add("pin", "item", "i1", scene="home", position=1, **who)
    file.add("block", "brand", "b", alert="heat", **who)
    assert len(file.read().rules) == 3
    assert b"alert" not in file.path.read_bytes().splitlines()[2]
    rules = live(file, catalogue)

    def of(*alerts: str) -> tuple[list[int], bool]:
        found = rules.of(catalogue, "home", NOW, alerts)
        return [pin.item for pin in found.pins], found.blocked is not None

    assert of() == of("storm") == ([1], False)
    assert of("haze") == of("storm", "haze") == ([2], False)
    assert of("heat", "haze") == ([2], True)
    file.add("pin", "item", "i3", scene="home", position=1, alert="haze", **who)
    rules.consider(rules.content(), catalogue)
    assert of("haze") == ([3], False)
    terms = PlanTerms(starts_at=NOW, cap=5)
    with pytest.raises(RulesError, match="alert: a plan holds whatever the weather is"):
        file.add("plan", "item", "i1", alert="haze", expires_at=NOW + 9, plan=terms, **who)
