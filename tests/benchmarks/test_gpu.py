"""The GPU's benchmark without a GPU: every row has figures or says what is missing."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu import form_rows
from benchmarks.gpu_forms import CPU, FORMS, made_up_network
from benchmarks.gpu_vectors import vector_rows
from exporters.tensorrt_engine import missing
from models.bst_settings import BstNetworkSettings
from recall.gpu_index import why_no_gpu


@pytest.mark.slow
@pytest.mark.skipif(not missing(), reason="there is a GPU")
def test_forms_are_measured_or_say_what_is_missing(tmp_path: Path) -> None:
    small = BstNetworkSettings(dimension=16, hidden=(32, 8), history_length=10)
    prepared = made_up_network(tmp_path, items=120, most=50, seed=1, settings=small)
    eager, plain = (FORMS[name](prepared, "cpu") for name in ("torch eager", CPU))
    assert callable(eager)
    assert callable(plain)
    feeds = prepared.request(50)
    np.testing.assert_allclose(eager(feeds), plain(feeds)[0], atol=1e-4)  # type: ignore[index]
    until = time.monotonic() + 2
    rows = {row.form: row for row in form_rows(prepared, [10, 50], "cuda", list(FORMS), until)}
    assert list(rows) == list(FORMS)
    assert {count for count, (per_s, _) in rows[CPU].cells.items() if per_s > 0} == {10, 50}
    assert all(bool(row.missing) != bool(row.cells) for row in rows.values())
    assert "CUDAExecutionProvider" in rows["ONNX Runtime, CUDA"].missing
    assert "tensorrt" in rows["TensorRT int8"].missing
    late = form_rows(prepared, [10], "cuda", [CPU], time.monotonic() - 1)
    assert late[0].missing == "no time was left to prepare it"


def test_each_index_is_searched_where_it_can_be() -> None:
    rows = vector_rows([3_000], seed=1, until=time.monotonic() + 60, search_s=0.05)
    assert [(row.index, row.place) for row in rows] == [
        ("flat", "CPU"), ("flat", "GPU"), ("ivf", "CPU"), ("ivf", "GPU"),
    ]  # fmt: skip
    assert rows[0].recall == 1.0
    assert all(row.per_s > 0 for row in rows if not row.missing)
    assert [row.missing for row in rows[1::2]] == [why_no_gpu()] * 2
