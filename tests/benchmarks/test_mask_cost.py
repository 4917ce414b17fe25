"""The measurement of the mask's cost: what it keeps, what it does again, what it prints."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import mask_cost
from snapshot import Dataset
from testing.synthetic_shop import synthetic_dataset

pytestmark = pytest.mark.slow

SMALL = ["--data", "sample", "--seeds", "1", "2", "--steps", "2", "--batch-size", "16", "--test-points", "30"]


def test_finished_trainings_are_kept_and_compared_by_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = synthetic_dataset(tmp_path / "shop", users=60, items=80, events=3000, seed=1)
    monkeypatch.setattr(mask_cost, "dataset_of", lambda name, folder, seed: dataset)
    measured: list[mask_cost.Trial] = []

    def counted(dataset: Dataset, trial: mask_cost.Trial) -> dict[str, object]:
        measured.append(trial)
        return measure(dataset, trial)

    measure = mask_cost.measure
    monkeypatch.setattr(mask_cost, "measure", counted)
    arguments = [*SMALL, "--folder", str(tmp_path / "out")]
    mask_cost.main(arguments)
    assert [(trial.form, trial.seed) for trial in measured] == [
        ("original", 1), ("masked", 1), ("original", 2), ("masked", 2),
    ]  # fmt: skip
    results = json.loads((tmp_path / "out" / "mask_cost.json").read_text())
    assert len(results) == 4
    assert len({(result["points"], result["shoppers"]) for result in results}) == 1
    assert all(0 <= result[metric] <= 1 for result in results for metric in ("auc", "gauc"))

    mask_cost.main(arguments)
    assert len(measured) == 4
    assert json.loads((tmp_path / "out" / "mask_cost.json").read_text()) == results
    torn = tmp_path / "out" / "trials" / "sample-masked-2.json"
    torn.write_text(json.dumps(json.loads(torn.read_text()) | {"fingerprint": "of other settings"}))
    mask_cost.main([*arguments, "--table"])
    assert len(measured) == 4
    assert len(json.loads((tmp_path / "out" / "mask_cost.json").read_text())) == 3
    mask_cost.main(arguments)
    assert len(measured) == 5
    assert json.loads((tmp_path / "out" / "mask_cost.json").read_text())[3]["auc"] == results[3]["auc"]
    capsys.readouterr()


def test_the_table_compares_the_same_seed() -> None:
    values = {("original", 1): 0.7, ("original", 2): 0.8, ("masked", 1): 0.71, ("masked", 2): 0.80}
    results = [
        {
            "data": "sample",
            "form": form,
            "seed": seed,
            "auc": value,
            "gauc": value - 0.1,
            "train_cpu_seconds": 3.0,
        }
        for (form, seed), value in values.items()
    ]
    printed = StringIO()
    console = Console(width=150, file=printed)
    console.print(mask_cost.table(results, ["original", "masked"]))
    masked = next(line for line in printed.getvalue().splitlines() if " masked " in line)
    assert f"0.7550 ± {np.std([0.71, 0.80], ddof=1):.4f}" in masked
    assert "+0.0050 ± 0.0050" in masked
