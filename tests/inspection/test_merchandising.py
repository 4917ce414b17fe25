"""Where business rules cannot be changed through AdminService, it says which setting keeps them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from environment.board import NO_FEED, Board
from environment.readings import Checked, Reading
from environment.settings import EnvironmentSettings
from inspection.merchandising import Merchandising
from protos.shopfront.v1.admin_pb2 import AddRuleRequest, ExposurePlan, ListRulesRequest, RemoveRuleRequest
from router.errors import CallerError, PreconditionError
from snapshot import Catalogue, write_catalogue
from state.merchandising.live_rules import LiveRules
from state.plan_counts.plan_count import PlanCount
from tests.snapshot.contents import columns

ADD = AddRuleRequest(action="block", value="i1", reason="why", operator="ann")


def merchandising(
    folder: Path, path: Path | None, *, changes: bool = True, environment: Board = NO_FEED
) -> Merchandising:
    folder.mkdir(exist_ok=True)
    contents = columns(2)
    contents["brand"][1] = 1
    write_catalogue(folder / "catalogue", ["i1", "i2"], contents, {"brand": ["acme"]}, {})
    live: Any = SimpleNamespace(
        current=SimpleNamespace(catalogue=Catalogue.open(folder / "catalogue"), scenes={"home": None})
    )
    store: Any = SimpleNamespace(exchange_plan_counts=_counts)
    return Merchandising(live, LiveRules(path), path, changes, store, environment)


def _counts(replica: str, own: object, plans: dict[str, int]) -> dict[str, PlanCount]:
    return {plan: PlanCount(7, 3, 0.25) for plan in plans}


async def test_a_router_without_a_file_or_that_takes_no_changes_says_so(tmp_path: Path) -> None:
    without = merchandising(tmp_path / "a", None)
    for call in (without.listed(ListRulesRequest()), without.add(ADD)):
        with pytest.raises(PreconditionError, match="business_rules is null"):
            await call
    fixed = merchandising(tmp_path / "b", tmp_path / "rules.json", changes=False)
    for change in (fixed.add(ADD), fixed.remove(RemoveRuleRequest(id="x"))):
        with pytest.raises(PreconditionError, match=r"inspection\.changes is false"):
            await change
    assert (await fixed.listed(ListRulesRequest())).total == 0


async def test_a_file_that_is_wrong_or_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text("{")
    found = await merchandising(tmp_path / "a", path).listed(ListRulesRequest())
    assert "no JSON" in found.refused
    rules = merchandising(tmp_path / "c", path)
    for change in (
        rules.add(ADD),
        rules.remove(RemoveRuleRequest(id="x", reason="over", operator="jo")),
    ):
        with pytest.raises(PreconditionError, match=r"rules\.json is no JSON: .*; mend the file"):
            await change
    (tmp_path / "file").write_text("")
    with pytest.raises(PreconditionError, match="cannot be used"):
        await merchandising(tmp_path / "b", tmp_path / "file" / "rules.json").add(ADD)


async def test_what_an_item_falls_under_is_found_by_its_groups_too(tmp_path: Path) -> None:
    rules = merchandising(tmp_path, tmp_path / "rules.json")
    for by, value in (("item", "i1"), ("item", "i2"), ("brand", "acme"), ("brand", "other")):
        added = await rules.add(
            AddRuleRequest(action="block", by=by, value=value, reason="why", operator="ann")
        )
        assert added.known == (value != "other")
    found = await rules.listed(ListRulesRequest(item_id="i1"))
    assert [rule.value for rule in found.rules] == ["acme", "i1"]
    assert (await rules.listed(ListRulesRequest(limit=2))).total == 4


def planned(value: str, by: str = "item", **terms: int) -> AddRuleRequest:
    return AddRuleRequest(
        action="plan",
        by=by,
        value=value,
        reason="why",
        operator="ann",
        expires_at=4_000_000_000,
        plan=ExposurePlan(**terms),  # type: ignore[arg-type]
    )


async def test_a_plan_is_listed_with_what_was_shown_under_it(tmp_path: Path) -> None:
    rules = merchandising(tmp_path, tmp_path / "rules.json")
    added = await rules.add(planned("i1", guarantee=10, cap=2_000))
    assert (added.plan.guarantee, added.plan.cap, added.plan.slack, added.plan.at_once) == (10, 2_000, 20, 0)
    (listed,) = (await rules.listed(ListRulesRequest())).rules
    assert (listed.progress.shown, listed.progress.lifted, listed.progress.lost) == (7, 3, 0.25)
    again = await rules.add(planned("i1", guarantee=20))
    assert (again.id, again.plan.starts_at, again.plan.cap) == (added.id, added.plan.starts_at, 0)


async def test_plans_that_cannot_be_kept_are_refused_by_their_field(tmp_path: Path) -> None:
    rules = merchandising(tmp_path, tmp_path / "rules.json")
    await rules.add(planned("acme", "brand", cap=100))
    for request, problem in (
        (planned("i1", guarantee=5, cap=4), "the plan contradicts itself: it guarantees 5 exposures"),
        (planned("i1"), "give guarantee, cap or both"),
        (planned("i1", guarantee=101), "contradicts the plan of brand 'acme' in all scenes"),
        (AddRuleRequest(action="plan", value="i1", reason="why", operator="ann"), "is required for a plan"),
    ):
        with pytest.raises(CallerError, match=problem):
            await rules.add(request)
    assert (await rules.add(planned("i1", guarantee=100))).known
    assert (await rules.add(planned("i2", guarantee=101))).known
    assert not (await rules.add(planned("i9", guarantee=5))).known


async def test_an_alert_that_nothing_raises_is_refused_or_marked(tmp_path: Path) -> None:
    board = Board.of_settings(EnvironmentSettings(file=tmp_path / "weather.csv"))
    rules = merchandising(tmp_path / "a", tmp_path / "rules.json", environment=board)

    def under(alert: str) -> AddRuleRequest:
        return AddRuleRequest(action="block", value="i1", reason="why", operator="ann", alert=alert)

    with pytest.raises(CallerError, match="alert: nothing raises it: known are haze, heat"):
        await rules.add(under("hase"))
    assert (await rules.add(under("haze"))).alert_known
    # What a feed that gives alerts itself will give is not known before.
    board.add(Checked((Reading("Bonn", 1_700_000_000, {}, frozenset({"frost"})),)), 1_700_000_000)
    assert not (await rules.add(under("storm"))).alert_known
    found = await rules.listed(ListRulesRequest())
    assert list(found.alerts) == ["frost", "haze", "heat"]
    assert [(rule.alert, rule.alert_known) for rule in found.rules] == [("storm", False), ("haze", True)]
    without = merchandising(tmp_path / "b", tmp_path / "others.json")
    with pytest.raises(CallerError, match=r"no feed raises alerts: router\.environment"):
        await without.add(under("haze"))
