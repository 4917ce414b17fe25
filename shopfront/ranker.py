"""The build step that fits the last layer of ranking and the prices of its pages' heads, and its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from evaluation.sample_rules.registry import SampleRulesSettings
from models.contracts import network_of
from recall.popularity import NAME as POPULARITY
from recall.popularity import PopularityTableSettings, Prices
from router.ranking.anchor_ranker.fitted import FILE as ANCHOR_FILE
from router.ranking.anchor_ranker.fitted import FittedAnchorRankers
from router.ranking.anchor_ranker.inputs import input_names as anchor_input_names
from router.ranking.anchor_ranker.table import ANCHOR_RANKER
from router.ranking.anchor_table import ANCHOR_PAIRS
from router.ranking.first_merge import FirstSettings
from router.ranking.log_odds_merge import LogOddsSettings
from router.ranking.logistic.inputs import input_names
from router.ranking.logistic.scorer import LogisticSettings
from router.ranking.logistic.table import NAME
from router.ranking.logistic.weights import Weights
from router.ranking.objectives.fitted import FILE, FittedObjectives
from router.ranking.objectives.table import NAME as OBJECTIVES
from router.ranking.objectives.table import OBJECTIVES as OBJECTIVES_TABLE
from router.scenes.components import tables_of
from router.scenes.fit_shop import fit_scene
from router.scenes.ranking_settings import RankingSettings
from router.scenes.settings import SceneSettings
from router.tables.kind import TableKind
from shopfront.settings import Settings, configured_scenes, configured_tables, main_scene
from shopfront.workspace import Workspace
from snapshot.dataset import DatasetStore
from snapshot.durable_files import sync_folder

if TYPE_CHECKING:
    from evaluation.ranker_fit import FittedRanker

STEP = "ranker"


def wanted(settings: Settings) -> bool:
    """Whether a configured scene, or an arm of one, scores by `logistic`."""
    return NAME in configured_tables(settings)


def fitted_scene(settings: Settings) -> tuple[str, SceneSettings]:
    """The scene on whose candidates the weights are fitted.

    The main one, where it scores by `logistic`, else the first that does.
    """
    main = main_scene(settings)
    scenes = [main, *configured_scenes(settings)]
    return next(((name, scene) for name, scene in scenes if NAME in tables_of([scene])), main)


def inputs(settings: Settings, dataset: str, checkpoints: Mapping[str, str]) -> dict[str, Any]:
    """What the fitted weights depend on, as JSON values."""
    name, scene = fitted_scene(settings)
    valued = [[name, repr(each.channels), _own_score(each)] for name, each in _valued(settings).items()]
    return {
        "dataset": dataset,
        "checkpoints": dict(checkpoints),
        "recall": settings.router.recall.model_dump(mode="json"),
        "scene": [name, repr(scene.channels), repr(scene.fusion), repr(scene.filters), scene.candidates],
        # Other inputs need other weights, also where nothing else changed.
        "inputs": list(input_names(tuple(scene.channels))),
        "settings": getattr(settings.router.tables, NAME).model_dump(mode="json"),
        **_price_inputs(settings, scene),
        **({"valued": valued} if valued else {}),
        **_anchored_inputs(settings),
        **_joined_inputs(settings),
        **_sample_inputs(settings),
        "model": settings.router.ranking.model,
        "seed": settings.seed,
    }


def fit(
    workspace: Workspace,
    settings: Settings,
    dataset: str,
    checkpoints: Mapping[str, Path],
    report: Callable[[str, float], None],
    awaited: Callable[[], Path] | None = None,
) -> str:
    """Fits the weights and keeps them under `rankers/<id>/`; returns the id, which begins with the time.

    Args:
        workspace: where they are kept.
        settings: of the build.
        dataset: the data set's id.
        checkpoints: model → folder, of every model that was trained.
        report: called with what is under way and the share done, 0…1.
        awaited: returns the folder of `router.ranking.model`, which may still be in training, when it is
            needed; None: it is among `checkpoints`.
    """
    made = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{dataset[-8:]}"
    made_of = _fitted(workspace, settings, dataset, checkpoints, report, awaited, whole=True)
    folder = workspace.rankers / made
    folder.mkdir(parents=True)
    made_of.weights.write(folder)
    made_of.prices.write(folder)
    made_of.objectives.write(folder)
    made_of.anchored.write(folder)
    sync_folder(folder.parent)
    return made


def last_layer(
    workspace: Workspace,
    settings: Settings,
    dataset: str,
    checkpoints: Mapping[str, Path],
    progress: Callable[[str, float], None],
) -> FittedRanker:
    """The last layer alone, with the candidates it learns of, none of them weighed; nothing is kept."""
    unweighed = settings.model_copy(update={"samples": SampleRulesSettings()})
    return _fitted(workspace, unweighed, dataset, checkpoints, progress, whole=False)


def _fitted(
    workspace: Workspace,
    settings: Settings,
    dataset: str,
    checkpoints: Mapping[str, Path],
    progress: Callable[[str, float], None],
    awaited: Callable[[], Path] | None = None,
    *,
    whole: bool,
) -> FittedRanker:
    """What is fitted; with `whole`, prices, objectives and pages about an item besides."""
    import torch

    from evaluation.loaded_models import load_models
    from evaluation.ranker_fit import fit_ranker
    from evaluation.served_scene import ServedScene
    from ingest.shop_facts import facts_of

    log = DatasetStore(workspace.datasets).open(dataset, verify=False)
    facts, tables = facts_of(log), settings.router.tables.sections()

    def served(name: str, scene: SceneSettings) -> ServedScene:
        return ServedScene(name, fit_scene(name, scene, facts), tables_of([scene]), tables)

    model = network_of(settings.router.ranking.model)
    torch.set_num_threads(getattr(settings.models, model).training.threads)
    valued, anchored = _valued(settings), _with_table(settings, ANCHOR_RANKER)
    return fit_ranker(
        log,
        load_models(checkpoints, dataset),
        settings.router.recall,
        served(*fitted_scene(settings)),
        getattr(settings.router.tables, NAME),
        model=model,
        seed=settings.seed,
        prices=_price_settings(settings) if whole else None,
        valued=[served(name, scene) for name, scene in valued.items()] if whole else [],
        anchored=[served(name, scene) for name, scene in anchored.items()] if whole else [],
        joined=[served(name, scene) for name, scene in _joined(settings).items()] if whole else [],
        rules=_sample_rules(settings),
        awaited=None if awaited is None else lambda: load_models({model: awaited()}, dataset)[model],
        progress=progress,
    )


def _sample_rules(settings: Settings) -> dict[str, BaseModel]:
    """The sample rules that are on, with their settings."""
    sections = settings.samples.sections()
    return {name: sections[name] for name in settings.samples.enabled()}


def _valued(settings: Settings) -> dict[str, SceneSettings]:
    """The scenes, or arms of them, that order by several objectives; the first form of each."""
    return _with_table(settings, OBJECTIVES_TABLE)


def _joined(settings: Settings) -> dict[str, SceneSettings]:
    """The scenes that show probabilities of the last layer, beside the one fitted on; without rerankers.

    None whose objectives are fitted, since they move these probabilities themselves. Of a scene with arms it
    is the first form. Scorers and rerankers have no part in which candidates a scene has.
    """
    own, valued = fitted_scene(settings)[0], _valued(settings)
    found: dict[str, SceneSettings] = {}
    for name, scene in configured_scenes(settings):
        ranking = scene.ranking
        shown = ranking.merge is None or isinstance(ranking.merge.settings, FirstSettings | LogOddsSettings)
        scored = any(isinstance(each.settings, LogisticSettings) for each in ranking.scorers.values())
        if name not in (own, *valued) and ranking.enabled and shown and scored:
            bare = {"rerank": {}, "ranking": RankingSettings(enabled=False)}
            found.setdefault(name, scene.model_copy(update=bare))
    return found


def _with_table(settings: Settings, table: TableKind) -> dict[str, SceneSettings]:
    """The scenes, or arms of them, that need the table; the first form of each."""
    found: dict[str, SceneSettings] = {}
    for name, scene in configured_scenes(settings):
        if table.name in tables_of([scene]):
            found.setdefault(name, scene)
    return found


def _anchored_inputs(settings: Settings) -> dict[str, Any]:
    """What the regressions of pages about an item depend on besides; nothing where no scene has any."""
    scenes = _with_table(settings, ANCHOR_RANKER)
    if not scenes:
        return {}
    return {
        "anchored": [
            [name, repr((each.channels, each.fusion, each.filters, each.candidates, each.ranking.scorers))]
            for name, each in scenes.items()
        ],
        "anchor_settings": [
            getattr(settings.router.tables, name).model_dump(mode="json")
            for name in (ANCHOR_RANKER.name, ANCHOR_PAIRS.name)
        ],
        "anchor_inputs": list(anchor_input_names(())),
    }


def _joined_inputs(settings: Settings) -> dict[str, Any]:
    """What the probabilities of other scenes depend on besides; nothing where none shows any."""
    scenes = _joined(settings)
    if not scenes:
        return {}
    return {
        "joined": [
            [name, repr((each.channels, each.fusion, each.filters, each.backfill, each.candidates))]
            for name, each in scenes.items()
        ]
    }


def _sample_inputs(settings: Settings) -> dict[str, Any]:
    """What the sample rules that are on say; nothing where none is."""
    rules = _sample_rules(settings)
    return {"samples": {name: rule.model_dump(mode="json") for name, rule in rules.items()}} if rules else {}


def _own_score(scene: SceneSettings) -> str:
    """What makes the score that the chance of a click is fitted on; not what the objectives weigh."""
    merge = scene.ranking.merge
    own = None if merge is None else merge.settings.model_dump(exclude={"weights"})
    return repr((scene.ranking.scorers, own))


def _price_settings(settings: Settings) -> PopularityTableSettings | None:
    """How the prices of `head_cap` are fitted; None where no scene, nor an arm of one, names it."""
    if not any("head_cap" in scene.rerank for _, scene in configured_scenes(settings)):
        return None
    section: PopularityTableSettings = getattr(settings.router.tables, POPULARITY)
    return section


def _price_inputs(settings: Settings, scene: SceneSettings) -> dict[str, Any]:
    """What the prices depend on besides: how the pages of the scene are ordered."""
    section = _price_settings(settings)
    if section is None:
        return {}
    return {"prices": section.model_dump(mode="json"), "ordered": [repr(scene.ranking), repr(scene.rerank)]}


def verify(workspace: Workspace, made: str) -> None:
    """Raises SnapshotError where what `fit` made cannot be read."""
    Weights.read(workspace.rankers / made)
    Prices.read(workspace.rankers / made)
    if (workspace.rankers / made / FILE).exists():
        FittedObjectives.read(workspace.rankers / made)
    if (workspace.rankers / made / ANCHOR_FILE).exists():
        FittedAnchorRankers.read(workspace.rankers / made)


def fitted(workspace: Workspace, made: str | None) -> dict[str, Path]:
    """Learned table → folder of what was fitted for it, as `BuildSource.fitted`; `made` by `fit`."""
    if made is None:
        return {}
    folder = workspace.rankers / made
    names = [NAME, POPULARITY, OBJECTIVES]
    # What an older build fitted lacks it; the scorer then orders as `anchor` does.
    if (folder / ANCHOR_FILE).exists():
        names.append(ANCHOR_RANKER.name)
    return dict.fromkeys(names, folder)
