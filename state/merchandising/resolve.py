"""From a merchandiser's rules to one scene's, in the ids of a catalogue."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from features.scene_rules import NO_SCENE_RULES, ExposurePlan, Pin, SceneRules
from snapshot.catalogue import Catalogue
from state.merchandising.plan_terms import PlanTerms
from state.merchandising.rules import ITEM, BusinessRule


def resolve(rules: Iterable[BusinessRule], catalogue: Catalogue, scene: str) -> SceneRules:
    """The rules of the scene, of those that hold; what the catalogue does not know has no effect.

    A pin of an alert takes the slot of one that holds always.
    """
    mine = sorted((rule for rule in rules if rule.scene in ("", scene)), key=lambda rule: bool(rule.alert))
    if not mine:
        return NO_SCENE_RULES
    codes = codes_of(mine, catalogue)
    blocked = np.zeros(catalogue.size + 1, np.bool_)
    pins: dict[int, Pin] = {}
    plans: list[ExposurePlan] = []
    by_column: dict[str, list[int]] = {}
    for rule, code in zip(mine, codes, strict=True):
        if not code:
            continue
        if rule.plan is not None:
            plans.append(_plan(rule, rule.plan, code, catalogue))
        elif rule.position is not None:
            column = None if rule.by == ITEM else catalogue.column(rule.by)
            pins[rule.position - 1] = Pin(rule.position - 1, code if column is None else 0, column, code)
        elif rule.by == ITEM:
            blocked[code] = True
        else:
            by_column.setdefault(rule.by, []).append(code)
    for name, groups in by_column.items():
        blocked |= np.isin(catalogue.column(name), groups)
    return SceneRules(
        blocked if blocked.any() else None, tuple(pins[slot] for slot in sorted(pins)), tuple(plans)
    )


def _plan(rule: BusinessRule, terms: PlanTerms, code: int, catalogue: Catalogue) -> ExposurePlan:
    column = None if rule.by == ITEM else catalogue.column(rule.by)
    return ExposurePlan(
        rule.id,
        code if column is None else 0,
        column,
        code,
        terms.guarantee,
        terms.cap,
        terms.slack_exposures,
        terms.starts_at,
        rule.expires_at or terms.starts_at,
        terms.even,
    )


def unknown_rules(rules: Iterable[BusinessRule], catalogue: Catalogue) -> list[BusinessRule]:
    """The rules about an item or group that the catalogue does not have."""
    every = list(rules)
    return [rule for rule, code in zip(every, codes_of(every, catalogue), strict=True) if not code]


def codes_of(rules: list[BusinessRule], catalogue: Catalogue) -> list[int]:
    """The dense item or the group's code of each rule; 0 = the catalogue does not have it."""
    codes = np.zeros(len(rules), np.int64)
    for by in {rule.by for rule in rules}:
        rows = [row for row, rule in enumerate(rules) if rule.by == by]
        codes[rows] = _codes(by, [rules[row].value for row in rows], catalogue)
    return [int(code) for code in codes]


def _codes(by: str, values: list[str], catalogue: Catalogue) -> NDArray[np.int32]:
    if by == ITEM:
        return catalogue.dense(values)
    names = catalogue.names(by, np.arange(catalogue.code_count(by) + 1))
    position = {name: code for code, name in enumerate(names) if name}
    return np.array([position.get(value, 0) for value in values], np.int32)
