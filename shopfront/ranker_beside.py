"""The last layer, fitted beside the training of the model that it is fitted with, where that can be."""

from __future__ import annotations

from collections.abc import Mapping

from models.contracts import network_of
from shopfront import ranker
from shopfront.channels_process import ChannelsProcess
from shopfront.model_build import ModelBuild
from shopfront.model_steps import ModelSteps
from shopfront.ranker_process import RankerProcess


def begin_ranker(
    steps: ModelSteps, models: ModelBuild, channels: ChannelsProcess | None
) -> RankerProcess | None:
    """The process that fits it once `channels` are built and all other models are there; None where none may.

    One may where the ranking model is what this process trains, and tables are built beside it: then there is
    a core for one more.
    """
    settings = steps.settings
    if channels is None or not ranker.wanted(settings):
        return None
    awaited = network_of(settings.router.ranking.model)
    others = models.beside(awaited)
    if others is None:
        return None

    def checkpoints() -> Mapping[str, str] | None:
        channels.wait()
        found = {model: wait() for model, wait in others.items()}
        known = {model: name for model, name in found.items() if name is not None}
        return known if len(known) == len(found) else None

    return RankerProcess(steps.workspace, settings, steps.dataset, awaited, checkpoints)


def fit_ranker(steps: ModelSteps, checkpoints: Mapping[str, str], begun: RankerProcess | None) -> str:
    """The id of what is fitted: by the process that has begun, else in this one. Raises as these do.

    checkpoints: of all models.
    """
    with steps.progress.step("fit ranker") as step:
        if begun is not None:
            return begun.take(step.stage)
        folders = {model: steps.checkpoint(model, name) for model, name in checkpoints.items()}
        return ranker.fit(steps.workspace, steps.settings, steps.dataset, folders, step.stage)
