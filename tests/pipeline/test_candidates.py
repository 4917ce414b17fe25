"""The candidate columns, and that the pipeline stands alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np

import pipeline
from pipeline.candidates import no_candidates, unscored


def some(count: int) -> object:
    return unscored(
        np.arange(1, count + 1, dtype=np.int32),
        np.ones(count, np.uint32),
        np.linspace(1, 0, count, dtype=np.float32),
        np.zeros(count, np.int32),
    )


def test_take_by_positions_mask_and_slice() -> None:
    three = some(3)
    assert three.take(np.array([2, 0])).items.tolist() == [3, 1]
    assert three.take(np.array([True, False, True])).items.tolist() == [1, 3]
    assert three.take(slice(2)).items.tolist() == [1, 2]
    assert np.isnan(three.score).all()


def test_every_column_keeps_its_type_on_the_way() -> None:
    joined = some(2).followed_by(no_candidates()).take(np.array([1]))
    scored = joined.with_score(np.array([0.5], np.float32))
    kinds = [
        getattr(scored, name).dtype for name in ("items", "channels", "recall_score", "trigger", "score")
    ]
    assert kinds == [np.int32, np.uint32, np.float32, np.int32, np.float32]
    assert len(scored) == 1


def test_the_pipeline_imports_numpy_and_the_standard_library_only() -> None:
    allowed = {"numpy", "pipeline", *sys.stdlib_module_names}
    folder = Path(pipeline.__file__).parent
    imported = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    roots = {
        ".".join(name.split(".")[:2]) if name.startswith("router") else name.split(".")[0]
        for name in imported
    }
    assert roots <= allowed
    assert "pipeline" in roots
