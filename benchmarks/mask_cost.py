"""What hiding the candidate from the history costs in AUC and GAUC: the same training, form against form.

For every data set, form and seed a BST is trained by the same code on the same sample points and negatives,
for the same number of steps; the seed decides initial weights, order, dropout and negatives. All are measured
on the same points and candidates of the test range. Printed are mean ± standard deviation over seeds and, by
seed, the difference to the first form.

Run `python -m benchmarks.mask_cost [--data sample taobao amazon_beauty] [--forms original masked]
[--seeds 1 2 3] [--steps 600] [--folder build/mask_cost]`. Every finished training is a file in the folder's
`trials/`: a run that is stopped goes on where it was, and `--table` only prints what is there. `masked+1` is
the masked form with one more block for the candidate alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.public_data import NAMES, dataset_of
from features.profile import PROFILE_FIELDS
from models.bst_settings import BstNetworkSettings
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.labelled_points import LabelledPoints, with_candidates
from models.negatives import NegativeSampler
from models.samples import cut_points
from models.settings import NegativeSettings, SampleSettings, TrainingSettings
from models.train_bst import ranking_metrics, score_points, train_bst
from shopfront.build_record import fingerprint
from snapshot.dataset import Dataset
from snapshot.durable_files import write_durably

FORMS: Mapping[str, Mapping[str, Any]] = {
    "original": {"mask_candidate": False},
    "masked": {"mask_candidate": True},
    "masked+1": {"mask_candidate": True, "candidate_blocks": 1},
}
METRICS = ("auc", "gauc")
TEST_SEED = 0
FOREVER = 2**33


@dataclass(frozen=True)
class Trial:
    """One training and what it is measured on."""

    data: str
    form: str
    seed: int
    steps: int
    batch_size: int
    positives: int
    negatives: int
    test_points: int
    test_negatives: int

    def network(self) -> BstNetworkSettings:
        """The network of this form."""
        return BstNetworkSettings.model_validate(dict(FORMS[self.form]))

    def samples(self) -> SampleSettings:
        """The default sources of negatives, fewer candidates of each point."""
        return SampleSettings(positives=self.positives, negatives=self.negatives)

    def training(self) -> TrainingSettings:
        """Two validations; the better weights count."""
        return TrainingSettings(
            batch_size=self.batch_size,
            max_steps=self.steps,
            evaluate_every=max(1, self.steps // 2),
            validation_points=1000,
            seed=self.seed,
        )

    def fingerprint(self, dataset: Dataset) -> str:
        """Distinguishes results of other settings or of other data."""
        return fingerprint(
            {
                "trial": asdict(self),
                "network": self.network().model_dump(mode="json"),
                "samples": self.samples().model_dump(mode="json"),
                "training": self.training().model_dump(mode="json"),
                "rows": dataset.manifest.rows,
                "cuts": [dataset.manifest.cuts.valid_from, dataset.manifest.cuts.test_from],
            }
        )


def test_candidates(dataset: Dataset, log: InteractionLog, trial: Trial) -> LabelledPoints:
    """The same points and candidates for every form and seed: popular and uniform negatives."""
    rng = np.random.default_rng(TEST_SEED)
    time_range = (dataset.manifest.cuts.test_from, FOREVER)
    samples = SampleSettings(positives=8, negatives=trial.test_negatives)
    points = cut_points(log, samples, time_range, rng, max_points=trial.test_points, most_recent=False)
    sampler = NegativeSampler.fit(log, NegativeSettings(), time_range)
    return with_candidates(points, sampler, trial.test_negatives, rng)


def measure(dataset: Dataset, trial: Trial) -> dict[str, Any]:
    """Trains and measures one trial: its metrics on the test range, its steps and seconds."""
    log = InteractionLog.from_dataset(dataset)
    vocabulary = dataset.catalogue.profile_vocab
    start, cpu = time.perf_counter(), time.process_time()
    model, result = train_bst(
        log,
        ItemFeatures.from_catalogue(dataset.catalogue),
        tuple(len(vocabulary.get(field, ())) for field in PROFILE_FIELDS),
        dataset.manifest.cuts,
        trial.network(),
        trial.samples(),
        trial.training(),
    )
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    labelled = test_candidates(dataset, log, trial)
    scores = score_points(model, log, labelled).astype(np.float64)
    return {
        **asdict(trial),
        **ranking_metrics(labelled, 1 / (1 + np.exp(-scores))),
        "kept_steps": result.steps,
        "validation": result.metrics,
        "points": len(labelled.points),
        "shoppers": len(np.unique(labelled.points.user)),
        "train_seconds": round(seconds, 1),
        "train_cpu_seconds": round(cpu_seconds, 1),
    }


def table(results: Sequence[Mapping[str, Any]], forms: Sequence[str]) -> Table:
    """Mean ± standard deviation over seeds, and the differences to the first form, seed by seed."""
    printed = Table(title=f"BST by form; Δ is to {forms[0]}, of the same seed: mean ± standard error")
    for column in ("data", "form", "seeds", "AUC", "GAUC", "Δ AUC", "Δ GAUC", "CPU s"):
        printed.add_column(column, justify="left" if column in ("data", "form") else "right", no_wrap=True)
    for data in dict.fromkeys(result["data"] for result in results):
        by_form = {
            form: {r["seed"]: r for r in results if (r["data"], r["form"]) == (data, form)} for form in forms
        }
        for form, by_seed in by_form.items():
            if not by_seed:
                continue
            both = sorted(by_seed.keys() & by_form[forms[0]].keys())
            cells = [_spread([result[m] for result in by_seed.values()], 1) for m in METRICS]
            for metric in METRICS:
                apart = [by_seed[seed][metric] - by_form[forms[0]][seed][metric] for seed in both]
                cells.append("" if form == forms[0] or not apart else _spread(apart, len(apart), sign="+"))
            cost = np.mean([result["train_cpu_seconds"] for result in by_seed.values()])
            printed.add_row(data, form, str(len(by_seed)), *cells, f"{cost:.0f}")
    return printed


def _spread(values: Sequence[float], divisor: int, sign: str = "") -> str:
    deviation = float(np.std(values, ddof=1)) / divisor**0.5 if len(values) > 1 else float("nan")
    return f"{np.mean(values):{sign}.4f} ± {deviation:.4f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the trials that have no result yet and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--forms", nargs="+", default=list(FORMS)[:2], choices=list(FORMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--positives", type=int, default=2)
    parser.add_argument("--negatives", type=int, default=6)
    parser.add_argument("--test-points", type=int, default=3000)
    parser.add_argument("--test-negatives", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path("build/mask_cost"))
    parser.add_argument("--table", action="store_true", help="train nothing, print what is there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    datasets = {}
    for name in options.data:
        dataset = dataset_of(name, options.folder, seed=1)
        if dataset is None:
            print(f"{name}: skipped, its files are absent (see benchmarks/public_data.py)")
        else:
            datasets[name] = dataset
    results = []
    for seed in options.seeds:
        for name, dataset in datasets.items():
            for form in options.forms:
                trial = Trial(
                    name, form, seed, options.steps, options.batch_size, options.positives, options.negatives,
                    options.test_points, options.test_negatives,
                )  # fmt: skip
                result = _result(dataset, trial, options.folder / "trials", train=not options.table)
                if result is not None:
                    results.append(result)
    shown = table(sorted(results, key=lambda r: options.data.index(r["data"])), options.forms)
    Console(width=120).print(shown)
    write_durably(options.folder / "mask_cost.json", (json.dumps(results, indent=1) + "\n").encode())


def _result(dataset: Dataset, trial: Trial, folder: Path, *, train: bool) -> dict[str, Any] | None:
    path = folder / f"{trial.data}-{trial.form}-{trial.seed}.json"
    key = trial.fingerprint(dataset)
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["fingerprint"] == key:
            return kept
    if not train:
        return None
    result = {**measure(dataset, trial), "fingerprint": key}
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(path, (json.dumps(result, indent=1) + "\n").encode())
    facts = f"auc {result['auc']:.4f} gauc {result['gauc']:.4f}"
    print(
        f"{trial.data} {trial.form} seed {trial.seed}: {facts}, {result['train_seconds']:.0f} s", flush=True
    )
    return result


if __name__ == "__main__":
    main()
