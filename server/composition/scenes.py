"""The scenes and the experiments on them, and the watches that apply edits while the router runs."""

from __future__ import annotations

from experiments.configuration import SceneConfiguration
from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from foundation.verdicts.gate import VerdictGate
from recall.registry import CHANNELS
from router.engine.live import LiveEngine
from router.engine.snapshot_metrics import SnapshotMetrics
from router.scenes.load import KnownNames, Scenes, read_scenes
from router.scenes.watch import SceneWatch
from server.composition.ranking import scoring_models
from server.settings import RouterSettings


def scene_configuration(settings: RouterSettings) -> SceneConfiguration:
    """The scenes and the experiments on them, not yet read."""
    known = KnownNames(CHANNELS, scoring_models(settings))
    return SceneConfiguration(
        lambda content: read_scenes(content, str(settings.scenes), known),
        settings.experiments,
        known,
        VerdictGate(settings.sandbox.folder) if settings.sandbox.experiments else None,
    )


def configuration_watches(
    settings: RouterSettings,
    configuration: SceneConfiguration,
    scenes: Scenes,
    live: LiveEngine,
    metrics: ProcessMetrics,
) -> list[SceneWatch]:
    """One watch on each file of the configuration; all belong to one event loop.

    Args:
        settings: name the files.
        configuration: what was read last of them.
        scenes: those that serve now.
        live: receives edited scenes.
        metrics: count edits that were loaded and refused.
    """

    def change(scenes: Scenes) -> None:
        live.change_scenes(scenes)
        configuration.take_up()
        metrics.group(SnapshotMetrics).config_reloads["loaded",].inc()

    def refused(reason: str) -> None:
        metrics.group(SnapshotMetrics).config_reloads["refused",].inc()

    watches = [SceneWatch(settings.scenes, configuration.with_scenes, scenes, change, refused)]
    if settings.experiments is not None:
        watches.append(
            SceneWatch(
                settings.experiments, configuration.with_experiments, scenes, change, refused, absent=b""
            )
        )
    return watches
