"""The whole offline evaluation of one data set and its checkpoints."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

from evaluation.anchor_pairs import next_in_basket
from evaluation.anchor_rows import measure_anchors
from evaluation.baselines import ItemCf
from evaluation.cart_rows import measure_carts
from evaluation.channel_table import CUTS, channel_notes, channel_table
from evaluation.held_out_carts import held_out_carts
from evaluation.loaded_models import item_vectors, load_models, services, with_facts
from evaluation.newcomer_table import newcomer_table
from evaluation.page_metrics import PageFacts
from evaluation.page_table import ServedPages
from evaluation.peers.past_events import PastEvents
from evaluation.prerank_table import prerank_table
from evaluation.queries import TestShopper, test_shoppers
from evaluation.ranking_table import ranking_table
from evaluation.recall_table import ask, recall_table
from evaluation.report import EvaluationReport
from evaluation.scene_fusion import SceneFusion
from evaluation.search_table import search_table, simulated_searches
from evaluation.served_scene import ServedScene, rate_prior
from evaluation.settings import EvaluationSettings
from evaluation.steps import STEPS, StepProgress, no_progress
from evaluation.venue_table import shows_venues, venue_table
from evaluation.visit_table import CHANGING, visit_table
from models.checkpoint import ModelRecord
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.build import build_channels, open_channels, switched_off
from recall.build_events import build_events
from recall.channel import BuildSource
from recall.context import NAME as CONTEXT
from recall.context import ContextChannel
from recall.item_pictures import ItemPictures
from recall.query import Query
from recall.settings import RecallSettings
from snapshot.dataset import Dataset


def evaluate(
    dataset: Dataset,
    checkpoints: Mapping[str, Path],
    recall_settings: RecallSettings,
    fusion: SceneFusion,
    quotas: Mapping[str, float],
    settings: EvaluationSettings = EvaluationSettings(),
    progress: StepProgress = no_progress,
    ranking_model: str = "bst",
    prerank_model: str = "prerank",
    anchored: Sequence[ServedScene] = (),
    scenes: Sequence[ServedScene] = (),
    main_scene: str | None = None,
    fitted: Mapping[str, Path] = MappingProxyType({}),
    pictures: ItemPictures | None = None,
) -> EvaluationReport:
    """Measures ranking, recall, served pages and, where its checkpoint is given, prerank.

    All on what happens from the data set's `cuts.test_from` on.

    Recall channels and baselines are built, in a temporary folder, from events before `test_from`.

    Args:
        dataset: measured on, and trained on.
        checkpoints: model → folder of its checkpoint: the ranking model's, those of every model that an
            enabled channel needs, and of any other that is to have a row in the ranking table.
        recall_settings: which channels are built, and how.
        fusion: joins the channels' answers.
        quotas: channel → share of the fused candidates, in the order of the scene.
        settings: what is measured, on how much.
        progress: called before each step and at the end.
        ranking_model: orders the fused candidates, and is what prerank is measured against.
        prerank_model: narrows the candidates in the prerank table.
        anchored: the scenes of pages about one item; where there are none, their table is left out.
        scenes: those of pages for a shopper; where there are none, their table is left out. Those with a
            setting `cart` are also measured with one, those that look at a context beside a search.
        main_scene: the one of `scenes` whose pages are measured for newcomers, and stand beside those of a
            search as the page that knows no context; None: neither has rows.
        fitted: learned table → folder of what was fitted for it on the validation range.
        pictures: of the items; None where they have none.

    Returns:
        The report.

    Raises:
        CheckpointError: a checkpoint cannot be read.
        EvaluationError: one belongs to another data set, or the test range is empty.
    """
    models = load_models(checkpoints, dataset.manifest.id)
    main = [scene for scene in scenes if scene.name == main_scene]
    cuts = dataset.manifest.cuts
    progress(STEPS[0], 0, len(STEPS))
    events = build_events(dataset.events())
    users = dataset.users()
    log = InteractionLog.of_events(events, users, dataset)
    progress(STEPS[1], 1, len(STEPS))
    item_cf = ItemCf.fit(log, cuts.test_from, settings.item_cf)
    progress(STEPS[2], 2, len(STEPS))
    ranking = ranking_table(log, cuts, models, item_cf, settings)
    progress(STEPS[3], 3, len(STEPS))
    rng = np.random.default_rng(settings.seed)
    shoppers = test_shoppers(log, users, cuts.test_from, settings.max_users, recall_settings.triggers, rng)
    source = BuildSource(
        events=events.filter(pl.col("ts") < cuts.test_from),
        users=users,
        catalogue=dataset.catalogue,
        tagged_titles=dataset.tagged_titles(),
        now=cuts.test_from - 1,
        vectors=item_vectors(models),
        seed=settings.seed,
        fitted=fitted,
        pictures=pictures,
    )
    models = with_facts(models, source, rate_prior((*scenes, *anchored)))
    with tempfile.TemporaryDirectory(prefix="evaluation-") as tables:
        build_channels(source, Path(tables), recall_settings)
        channels = open_channels(Path(tables), dataset.catalogue, services(models), recall_settings)
        off = switched_off(Path(tables), recall_settings)
        quotas = {name: share for name, share in quotas.items() if name not in off}
        fusion_of = fusion.open(source, Path(tables) / "fusion")
        progress(STEPS[4], 4, len(STEPS))
        recall = recall_table(
            shoppers,
            channels,
            quotas,
            fusion_of,
            item_cf,
            models[ranking_model],
            ks=settings.ks,
            fused_total=settings.fused_total,
            rank_candidates=settings.rank_candidates,
        )
        progress(STEPS[5], 5, len(STEPS))
        by_channel = channel_table(
            shoppers,
            asyncio.run(ask(shoppers, channels, CUTS[-1])),
            quotas,
            fusion_of,
            PageFacts(PastEvents.before(log, cuts.test_from), np.asarray(dataset.catalogue.category)),
            settings.seed,
        )
        progress(STEPS[6], 6, len(STEPS))
        narrowed: dict[str, dict[str, float]] = {}
        if prerank_model in models:
            narrowed = prerank_table(
                drawn(shoppers, settings.prerank_shoppers, rng),
                channels,
                quotas,
                fusion_of,
                models[ranking_model],
                models[prerank_model],
                candidates=settings.prerank_candidates,
                kept=settings.prerank_kept,
                wanted=settings.prerank_top,
            )
        progress(STEPS[7], 7, len(STEPS))
        learned, whole = Path(tables) / "learned", replace(source, events=events)

        def opened(those: Sequence[ServedScene]) -> dict[str, Pipeline[Query]]:
            return {scene.name: scene.open(source, learned, channels, models) for scene in those}

        end = dataset.manifest.time_range[1] + 1
        about_items: dict[str, dict[str, float]] = {}
        next_items: dict[str, dict[str, float]] = {}
        if anchored:
            about_items, next_items = measure_anchors(
                source,
                log,
                next_in_basket(whole, cuts.test_from, end, settings.anchor_pairs, rng),
                opened(anchored),
                channels,
                item_cf,
                settings,
                recall_settings.triggers,
            )
        progress(STEPS[8], 8, len(STEPS))
        completed = measure_carts(
            source,
            log,
            held_out_carts(
                whole,
                cuts.test_from,
                end,
                settings.cart_basket_items,
                settings.carts,
                np.random.default_rng(settings.seed),
            ),
            opened([scene for scene in scenes if scene.settings.cart is not None]),
            channels,
            item_cf,
            settings,
            recall_settings.triggers,
        )
        progress(STEPS[9], 9, len(STEPS))
        searched: dict[str, dict[str, float]] = {}
        context = channels.get(CONTEXT)
        if isinstance(context, ContextChannel):
            searching = np.random.default_rng(settings.seed)
            searched = search_table(
                simulated_searches(
                    drawn(shoppers, settings.searches, searching), log, dataset.catalogue, searching
                ),
                opened([scene for scene in scenes if scene.settings.looks_at_context]),
                opened([scene for scene in main if not scene.settings.looks_at_context]),
                context,
                settings.seed,
            )
        progress(STEPS[10], 10, len(STEPS))
        halls = [scene for scene in scenes if shows_venues(scene)]
        measured = ServedPages(
            source, log, channels, models, learned, item_cf, events, recall_settings.triggers
        ).measure(
            [scene for scene in scenes if scene not in halls],
            drawn(shoppers, settings.page_shoppers, rng),
            settings,
        )
        progress(STEPS[11], 11, len(STEPS))
        newcomers = newcomer_table(
            drawn(shoppers, settings.newcomer_shoppers, np.random.default_rng(settings.seed)),
            opened(main),
            log,
            source,
            recall_settings.triggers,
            settings,
            channels,
        )
        progress(STEPS[12], 12, len(STEPS))
        visits = visit_table(
            drawn(shoppers, settings.visit_shoppers, np.random.default_rng(settings.seed)),
            opened([each for each in scenes if any(name in each.settings.rerank for name in CHANGING)]),
            recall_settings.triggers,
            settings.visits,
            settings.seed,
        )
        progress(STEPS[13], 13, len(STEPS))
        venues = venue_table(
            drawn(shoppers, settings.venue_shoppers, np.random.default_rng(settings.seed)),
            opened(halls),
            source,
        )
    progress("", len(STEPS), len(STEPS))
    return EvaluationReport(
        dataset=dataset.manifest.id,
        source=dataset.manifest.source,
        ranking=ranking,
        recall=recall,
        channels=by_channel,
        quotas=quotas,
        settings=settings.model_dump(mode="json"),
        models={name: _facts(loaded.record) for name, loaded in models.items()},
        shoppers=len(shoppers),
        prerank=narrowed,
        anchors=about_items,
        carts=completed,
        searches=searched,
        pages=measured.pages,
        newcomers=newcomers,
        visits=visits,
        venues=venues,
        reliability=measured.reliability | next_items,
        notes=[*measured.notes, *channel_notes(off, channels, by_channel)],
    )


def drawn(shoppers: Sequence[TestShopper], count: int, rng: np.random.Generator) -> list[TestShopper]:
    """At most `count` of the shoppers, drawn by `rng`, in their order."""
    if len(shoppers) <= count:
        return list(shoppers)
    return [shoppers[row] for row in np.sort(rng.choice(len(shoppers), count, replace=False))]


def _facts(record: ModelRecord) -> dict[str, object]:
    return {"seed": record.seed, "steps": record.steps, "validation": record.metrics}
