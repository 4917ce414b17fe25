"""Forms of MIND side by side on the validation range: recall, and how far apart a shopper's interests are.

For each form and weight of `separation`: recall@50 and @200 over the catalogue, with and without what the
shopper took before; the mean cosine between two interests of a shopper; focus, the share of an interest's 50
nearest items that have the commonest category among them; and own, the part of a shopper's interests whose
commonest categories differ.

Run `python -m benchmarks.interests [--data sample] [--steps 400] [--shoppers 1000] [--seeds 1]
[--forms mind dual_gate] [--separation 0 0.1 1] [--json build/benchmarks/interests.json]`. Data sets are
ingested once into `build/benchmarks/interests/`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.public_data import NAMES, dataset_of
from models.batches import encode_shoppers, ordered_batches
from models.interaction_log import InteractionLog
from models.item_features import ItemFeatures
from models.mind import MindSettings
from models.mind_network import Mind
from models.nearest_items import nearest_items
from models.samples import SamplePoints
from models.train_mind import train_mind
from models.training_loop import silent
from models.training_points import training_points
from snapshot.dataset import Dataset
from snapshot.durable_files import write_durably

FORMS = ("mind", "dual_gate")
CUTS = (50, 200)
FOCUS = 50


def interests_of(network: Mind, log: InteractionLog, points: SamplePoints) -> torch.Tensor:
    """float32[S, K, D] of the points' shoppers at their moments."""
    with torch.inference_mode():
        batches = ordered_batches(points, 256)
        return torch.cat([network(*encode_shoppers(log, batch).history) for batch in batches])


def recalls(
    interests: torch.Tensor, vectors: torch.Tensor, log: InteractionLog, points: SamplePoints
) -> dict[str, float]:
    """Means over the points of recall@k of what was taken, and of what was taken for the first time."""
    rows: dict[str, list[float]] = {f"{of}recall@{k}": [] for of in ("", "new_") for k in CUTS}
    for part in torch.arange(len(points)).split(256):
        found = nearest_items(interests[part], vectors, max(CUTS))
        for items, point in zip(found, part.tolist(), strict=True):
            taken = points.positives[point][points.positives[point] > 0]
            before = log.behaviours.item[points.history_start[point] : points.history_end[point]]
            for of, wanted in (("", taken), ("new_", np.setdiff1d(taken, before))):
                for k in CUTS:
                    if len(wanted):
                        rows[f"{of}recall@{k}"].append(float(np.isin(wanted, items[:k]).mean()))
    return {name: float(np.mean(values)) if values else float("nan") for name, values in rows.items()}


def spread(interests: torch.Tensor, vectors: torch.Tensor, categories: np.ndarray) -> dict[str, float]:
    """Cosine between interests, focus, and distinct commonest categories, of shoppers with two or more."""
    cosines, focus, own = [], [], []
    for row in interests:
        active = row[row.abs().sum(-1) > 0]
        if len(active) < 2:
            continue
        pairs = (active @ active.T)[tuple(np.triu_indices(len(active), 1))]
        cosines.append(float(pairs.mean()))
        commonest = []
        for items in nearest_items(active[:, None, :], vectors, FOCUS):
            counts = np.bincount(categories[items])
            focus.append(counts.max() / len(items))
            commonest.append(int(counts.argmax()))
        own.append(len(set(commonest)) / len(active))
    return {"cosine": float(np.mean(cosines)), "focus": float(np.mean(focus)), "own": float(np.mean(own))}


def measure(
    dataset: Dataset, form: Mapping[str, Any], steps: int, shoppers: int, seed: int
) -> dict[str, float]:
    """One form, trained anew for so many steps at most."""
    settings = MindSettings()
    network_settings = type(settings.network).model_validate({**settings.network.model_dump(), **form})
    training = settings.training.model_copy(update={"max_steps": steps, "seed": seed})
    log, features = InteractionLog.from_dataset(dataset), ItemFeatures.from_catalogue(dataset.catalogue)
    cuts = dataset.manifest.cuts
    network, result = train_mind(log, features, cuts, network_settings, settings.samples, training, silent)
    asked = training.model_copy(update={"validation_points": shoppers})
    random = np.random.default_rng(0), np.random.default_rng(1)
    _, points = training_points(log, cuts, settings.samples, asked, *random, with_history=True)
    interests, vectors = interests_of(network, log, points), network.item_vectors()
    categories = np.asarray(dataset.catalogue.category)
    return {
        "steps": result.steps,
        **recalls(interests, vectors, log, points),
        **spread(interests, vectors, categories),
    }


def main() -> None:
    """Measures every form, prints a line for each and writes them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=NAMES, default="sample")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--shoppers", type=int, default=1_000, help="moments of the validation range")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--separation", nargs="+", type=float, default=[0.0, 0.1, 1.0])
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/interests.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = dataset_of(options.data, options.json.parent / "interests", 0)
    if dataset is None:
        print(f"{options.data}: skipped, its files are absent")
        return
    rows = []
    for seed in range(1, options.seeds + 1):
        for name, apart in product(options.forms, options.separation):
            form = {"form": name, "separation": apart}
            row = measure(dataset, form, options.steps, options.shoppers, seed)
            rows.append({**form, "seed": seed, **row})
            cells = "  ".join(f"{column} {value:.4f}" for column, value in row.items())
            print(f"{name:9} separation {apart}  seed {seed}  {cells}", flush=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write_durably(options.json, json.dumps(rows, indent=2).encode())


if __name__ == "__main__":
    main()
