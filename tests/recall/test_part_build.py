"""What a part's build may return and raise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recall.channel import BuildSource
from recall.part_build import PartBuildError, build_part

SOURCE: BuildSource = None  # type: ignore[assignment]
OWNER = "the recall channel near of my_shop"


def built(folder: Path, rows: Any = None, error: Exception | None = None) -> dict[str, int]:
    def build(source: object, into: Path, settings: object) -> Any:
        assert into.is_dir()
        if error is not None:
            raise error
        return rows

    return build_part(OWNER, build, SOURCE, folder / "recall" / "near", None)


def test_counts_are_numbers_that_a_manifest_can_hold(tmp_path: Path) -> None:
    rows = built(tmp_path, {"items": np.int64(3), "none": 0})
    assert json.loads(json.dumps(rows)) == {"items": 3, "none": 0}


@pytest.mark.parametrize("rows", [None, [1], {"items": "many"}, {"items": 2.5}, {3: 4}])
def test_what_is_no_count_by_name_is_refused_before_it_is_in_a_snapshot(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(PartBuildError, match=f"^{OWNER} cannot be built: its build returned .*items"):
        built(tmp_path, rows)


def test_what_is_missing_is_one_line_with_the_part_and_the_place(tmp_path: Path) -> None:
    with pytest.raises(
        PartBuildError, match=rf"^{OWNER} cannot be built: no log \(.*test_part_build\.py, line"
    ):
        built(tmp_path, error=ValueError("no log"))


def test_a_bug_stays_what_it_is_and_names_the_part(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as raised:
        built(tmp_path, error=KeyError("x"))
    assert raised.value.__notes__ == [f"This happened while {OWNER} was built."]
