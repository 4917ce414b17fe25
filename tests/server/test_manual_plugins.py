"""The plug-ins of docs/manual/plugins.md, as they are printed there."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ingest.importer_check import check_handed_over
from ingest.importers.registry import IMPORTERS
from pipeline.candidates import unscored
from registration.declaration import declaration_fault
from router.filters.kind import FilterKind
from tests.router.ranking.queries import query

TEXT = (Path(__file__).parents[2] / "docs" / "manual" / "plugins.md").read_text("utf-8")


def run(heading: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the first block of Python below a heading defines."""
    module = ModuleType("my_shop_parts")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    section = TEXT.partition(f"## {heading}\n")[2]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    exec(compile(code[1], "plugins.md", "exec"), vars(module))  # noqa: S102
    return vars(module)


def test_the_filter_removes_what_is_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = run("A filter", monkeypatch)["FILTERS"]["cheap"]
    assert declaration_fault(kind, FilterKind) is None
    prices = np.array([np.nan, 4.0, 6.0, np.nan], np.float32)
    none = np.zeros(3, np.int32)
    candidates = unscored(
        np.array([1, 2, 3], np.int32), none.astype(np.uint32), none.astype(np.float32), none
    )
    parts = type("Parts", (), {"catalogue": type("Catalogue", (), {"price": prices})})
    keep = kind.create(parts, kind.settings(most=5.0)).keep(query(), candidates)
    assert keep.tolist() == [True, False, False]


def test_the_log_format_hands_over_usable_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "till.csv").write_text("user_id,item_id,ts_ms\n7,1,1700000000000\n8,2,1700000001000\n")
    importer = run("A log format", monkeypatch)["IMPORTERS"]["till"]
    assert declaration_fault(importer, type(IMPORTERS["generic"])) is None
    assert importer.matches(tmp_path)
    tables = importer.read(tmp_path, datetime.now(UTC))
    check_handed_over(tables, "till")
    assert tables.events["user_id"].to_list() == ["7", "8"]
