"""Where business rules cannot be changed through AdminService, it says which setting keeps them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inspection.merchandising import Merchandising
from protos.shopfront.v1.admin_pb2 import AddRuleRequest, ListRulesRequest, RemoveRuleRequest
from router.errors import PreconditionError
from snapshot import Catalogue, write_catalogue
from state.merchandising.live_rules import LiveRules
from tests.snapshot.contents import columns

ADD = AddRuleRequest(action="block", value="i1", reason="why", operator="ann")


def merchandising(folder: Path, path: Path | None, *, changes: bool = True) -> Merchandising:
    folder.mkdir(exist_ok=True)
    contents = columns(2)
    contents["brand"][1] = 1
    write_catalogue(folder / "catalogue", ["i1", "i2"], contents, {"brand": ["acme"]}, {})
    live: Any = SimpleNamespace(
        current=SimpleNamespace(catalogue=Catalogue.open(folder / "catalogue"), scenes={"home": None})
    )
    return Merchandising(live, LiveRules(path), path, changes)


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
