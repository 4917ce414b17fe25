"""What diversity costs: likeness of a page's items against NDCG@10, for orders of several strengths.

Every shopper's candidates are recalled, fused, filtered and ranked once, as the main scene of a built
workspace does; then each order makes ten slots of the same ranked candidates: none, `mmr`, `dpp` and
`scatter` of several strengths, `mmr` that also looks at vectors of walks (`vectors`), all rerankers of the
scene, and candidates drawn at random. Likeness (ILS) is the mean over the pairs of items of a page, of one
category, of one brand, and of the cosine of their vectors of walks over sessions
(`recall.graph_embedding_build`), as they are and less their mean (`recall.walk_vectors`): any two items of a
catalogue are alike by the former, and those of a page can hardly be less. These vectors are trained with
another seed than those that `mmr` looks at. Changes are against the page without any, on the same shoppers,
NDCG's with its 95 % bootstrap interval.

Run `python -m benchmarks.diversity_curve build/sample [--range valid] [--shoppers 500] [--figure curve.svg]`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from evaluation.loaded_models import item_vectors, load_models, services
from evaluation.queries import TestShopper, test_shoppers
from evaluation.served_scene import ServedScene
from foundation.statistics.bootstrap import grouped_interval
from foundation.statistics.ranking_metrics import ndcg
from ingest.shop_facts import facts_of
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline, Ranked
from pipeline.runner import arrange, rank
from recall.build import build_channels, only, open_channels
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.graph_embedding_build import item_vectors as graph_vectors
from recall.graph_embedding_settings import GraphEmbeddingSettings
from recall.query import Query
from recall.walk_vectors import centred
from router.rerank.diversity import DppSettings, MmrSettings
from router.rerank.scatter import ScatterRule, ScatterSettings
from router.scenes.components import tables_of
from router.scenes.fit_shop import fit_scene
from shopfront import ranker
from shopfront.build_steps import built
from shopfront.evaluation import checkpoints_of, limit_threads, ranker_of
from shopfront.settings import default_settings, main_scene
from shopfront.workspace import Workspace
from snapshot.catalogue import Catalogue
from snapshot.dataset import DatasetStore

SLOTS, UNHURRIED_S = 10, 86_400.0
OFF, RANDOM = "off", "random"
GROUPS = ("category", "brand")
LIKENESS = ("graph vectors", "centred", *GROUPS)
Vectors = Mapping[str, NDArray[np.float32]]
"""float32[N + 1, D] of length 1 by those names of `LIKENESS` that are of vectors."""
GOAL_ILS, GOAL_NDCG = -0.35, -0.02

VECTOR_PARTS = {"third": (0.34, 0.33), "half": (0.5, 0.25), "most": (0.8, 0.1)}
"""Weights of vectors, and of category and of brand each."""

Pages = list[NDArray[np.int32]]


@dataclass(frozen=True)
class Point:
    """One order: NDCG@10 and ILS, and their changes against no reranking in parts of it.

    family  none, mmr, dpp, scatter, vectors, scene or random
    ils     by `LIKENESS`
    """

    name: str
    family: str
    ndcg: float
    change: float
    low: float
    high: float
    ils: Mapping[str, float]
    ils_change: Mapping[str, float]
    categories: float

    def reaches_goal(self, likeness: str) -> bool:
        """Whether ILS falls by 35 % for at most 2 % of NDCG."""
        return self.ils_change[likeness] <= GOAL_ILS and self.change >= GOAL_NDCG


def orders(scene: Mapping[str, BaseModel]) -> dict[str, dict[str, BaseModel]]:
    """Rerankers by the name of the order."""
    alike = {"category": 0.5, "brand": 0.5}
    made: dict[str, dict[str, BaseModel]] = {OFF: {}}
    for tradeoff in (0.98, 0.96, 0.95, 0.94, 0.93, 0.92, 0.9, 0.85):
        made[f"mmr {tradeoff:g}"] = {"mmr": MmrSettings(alike=alike, tradeoff=tradeoff)}
    for strength in (16.0, 8.0, 5.0, 4.0, 3.0, 2.0):
        made[f"dpp {strength:g}"] = {"dpp": DppSettings(alike=alike, strength=strength)}
    for of_category, of_brand in ((4, 5), (6, 6), (10, 10)):
        rules = [
            ScatterRule(by="category", window=of_category, max=2),
            ScatterRule(by="brand", window=of_brand, max=2),
        ]
        made[f"scatter {of_category}/2, {of_brand}/2"] = {"scatter": ScatterSettings(rules=rules)}
    rules = [ScatterRule(by="category", window=10, max=1), ScatterRule(by="brand", window=10, max=2)]
    made["scatter 10/1, 10/2"] = {"scatter": ScatterSettings(rules=rules)}
    for label, (of_vectors, of_group) in VECTOR_PARTS.items():
        for tradeoff in (0.95, 0.94, 0.93, 0.9):
            parts = dict.fromkeys(GROUPS, of_group)
            order = MmrSettings(alike=parts, vectors=of_vectors, tradeoff=tradeoff)
            made[f"vectors {label} {tradeoff:g}"] = {"mmr": order}
    return made | {"scene": dict(scene)}


def page_likeness(page: NDArray[np.int32], catalogue: Catalogue, vectors: Vectors) -> dict[str, float]:
    """By `LIKENESS`: the mean over the page's pairs of items; 0 for a page of fewer than two."""
    if page.size < 2:
        return dict.fromkeys(LIKENESS, 0.0)
    first, second = np.triu_indices(page.size, 1)
    values = {
        name: float((each[page[first]] * each[page[second]]).sum(axis=1).mean())
        for name, each in vectors.items()
    }
    for name in GROUPS:
        codes = catalogue.column(name)[page]
        values[name] = float(((codes[first] == codes[second]) & (codes[first] > 0)).mean())
    return values


def point(
    name: str,
    pages: Pages,
    off: Pages,
    shoppers: Sequence[TestShopper],
    catalogue: Catalogue,
    vectors: Vectors,
    seed: int,
) -> Point:
    """What the pages of an order are worth beside those of none."""
    gains, before = _gains(pages, shoppers), _gains(off, shoppers)
    low, high = grouped_interval(gains - before, np.arange(len(gains)), np.random.default_rng(seed))
    likeness, usual = (
        {
            way: float(np.mean([each[way] for each in every]))
            for way in LIKENESS
            for every in [[page_likeness(page, catalogue, vectors) for page in those]]
        }
        for those in (pages, off)
    )
    base = max(float(before.mean()), 1e-12)
    return Point(
        name,
        name.split()[0] if name != OFF else "none",
        float(gains.mean()),
        float((gains - before).mean() / base),
        low / base,
        high / base,
        likeness,
        {way: likeness[way] / usual[way] - 1 if usual[way] else 0.0 for way in LIKENESS},
        float(np.mean([np.unique(catalogue.category[page]).size for page in pages])),
    )


def _gains(pages: Pages, shoppers: Sequence[TestShopper]) -> NDArray[np.float64]:
    hits = np.zeros((len(pages), SLOTS), np.bool_)
    for row, (page, shopper) in enumerate(zip(pages, shoppers, strict=True)):
        hits[row, : page.size] = np.isin(page, shopper.targets)
    return np.asarray(ndcg(hits, np.array([len(each.targets) for each in shoppers]), SLOTS), np.float64)


def measure(folder: Path, which: str, count: int, pairs: int, seed: int) -> list[Point]:
    """All points of the workspace `folder` on its range `which` (valid or test), for `count` shoppers."""
    workspace, settings = Workspace(folder), default_settings()
    made = built(workspace)
    dataset = DatasetStore(workspace.datasets).open(made.dataset, verify=False)
    limit_threads(settings)
    name, scene = main_scene(settings)
    scene = fit_scene(name, scene, facts_of(dataset))
    models = load_models(checkpoints_of(workspace, made), dataset.manifest.id)
    catalogue, cuts = dataset.catalogue, dataset.manifest.cuts
    cut = cuts.test_from if which == "test" else cuts.valid_from
    events, users = build_events(dataset.events()), dataset.users()
    seen = events if which == "test" else events.filter(pl.col("ts") < cuts.test_from)
    log = InteractionLog.of_events(seen, users, dataset)
    recall = settings.router.recall
    shoppers = test_shoppers(log, users, cut, count, recall.triggers, np.random.default_rng(seed))
    source = BuildSource(
        events=events.filter(pl.col("ts") < cut),
        users=users,
        catalogue=catalogue,
        now=cut - 1,
        vectors=item_vectors(models),
        seed=seed,
        fitted=ranker.fitted(workspace, ranker_of(workspace, settings)),
    )
    training = GraphEmbeddingSettings(max_pairs=pairs)
    trained, _ = graph_vectors(replace(source, seed=seed + 1), training)
    vectors = dict(zip(LIKENESS, (trained, centred(trained)), strict=False))
    with tempfile.TemporaryDirectory() as scratch:
        asked = only(recall, [*scene.channels, scene.backfill.channel] if scene.backfill else scene.channels)
        build_channels(source, Path(scratch) / "channels", asked)
        channels = open_channels(Path(scratch) / "channels", catalogue, services(models), asked)

        def pipeline(rerank: Mapping[str, BaseModel]) -> Pipeline[Query]:
            changed = scene.model_copy(update={"rerank": dict(rerank)})
            served = ServedScene(name, changed, tables_of([changed]), settings.router.tables.sections())
            return served.open(source, Path(scratch) / "tables", channels, models)

        pipelines = {label: pipeline(rerank) for label, rerank in orders(scene.rerank).items()}
        ranked = asyncio.run(_ranked(pipelines[OFF], shoppers))
        pages = {
            label: [arranged(replace(each, pipeline=ordered)) for each in ranked]
            for label, ordered in pipelines.items()
        }
    draws = np.random.default_rng(seed)
    pages[RANDOM] = [draws.permutation(each.candidates.items)[:SLOTS] for each in ranked]
    return [
        point(label, shown, pages[OFF], shoppers, catalogue, vectors, seed) for label, shown in pages.items()
    ]


def arranged(ranked: Ranked[Query]) -> NDArray[np.int32]:
    """The items of a page; RuntimeError where a reranker was left out of it, for want of time."""
    page = arrange(ranked, SLOTS)
    if page.degraded:
        raise RuntimeError(f"the page went without {', '.join(page.degraded)}")
    return page.items.items


async def _ranked(pipeline: Pipeline[Query], shoppers: Sequence[TestShopper]) -> list[Ranked[Query]]:
    return [
        await rank(pipeline, each.query, SLOTS, time.monotonic() + UNHURRIED_S, time.monotonic)
        for each in shoppers
    ]


def draw(points: Sequence[Point], path: Path) -> None:
    """Writes the curves to a file (.svg, .png): NDCG@10 over ILS, a panel for each likeness."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(LIKENESS), 4), layout="constrained")
    for way, axes in zip(LIKENESS, figure.subplots(1, len(LIKENESS), sharey=True), strict=True):
        for family in dict.fromkeys(each.family for each in points):
            curve = sorted((each.ils_change[way], each.change) for each in points if each.family == family)
            axes.plot(*(100 * np.array(curve)).T, marker="o", label=family)
        axes.axvline(100 * GOAL_ILS, color="grey", linestyle=":")
        axes.axhline(100 * GOAL_NDCG, color="grey", linestyle=":")
        axes.set_xlabel(f"change of ILS by {way}, %")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("change of NDCG@10, %")
    figure.axes[-1].legend()
    figure.savefig(path)


def main() -> None:
    """Prints a line for each order, and draws the curves where a file is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--range", choices=("valid", "test"), default="valid")
    parser.add_argument("--shoppers", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=5_000_000, help="pairs that the vectors are trained on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    points = measure(options.workspace, options.range, options.shoppers, options.pairs, options.seed)
    print(f"{'order':22} NDCG@10  change            " + "  ".join(f"ILS {way:>13}" for way in LIKENESS))
    for each in points:
        likeness = "  ".join(f"{each.ils[way]:.3f} {each.ils_change[way]:+8.1%}   " for way in LIKENESS)
        print(
            f"{each.name:22} {each.ndcg:.4f}   {each.change:+.1%} [{each.low:+.1%}, {each.high:+.1%}]  "
            f"{likeness}  {each.categories:.1f} categories"
        )
    for way, family in product(LIKENESS, ("mmr", "dpp", "scatter", "vectors", "scene")):
        reached = [each.name for each in points if each.family == family and each.reaches_goal(way)]
        print(f"-35 % by {way} at -2 %: {family}: {', '.join(reached) or 'none'}")
    if options.figure is not None:
        draw(points, options.figure)


if __name__ == "__main__":
    main()
