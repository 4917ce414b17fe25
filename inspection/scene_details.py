"""The scenes in service and the experiments on them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from foundation.statistics.assignment import BUCKETS
from inspection.channel_shares import channel_shares
from inspection.setting_rows import setting_rows
from protos.shopfront.v1.admin_pb2 import ExperimentArm, InspectScenesResponse, SceneDetails, SettingRow
from router.engine.engine import Engine
from router.scenes.settings import SceneSettings
from state.channel_rates.rates import ChannelRates


def inspect_scenes(engine: Engine, rates: ChannelRates) -> InspectScenesResponse:
    """Every scene that serves, key by key, as the file means it and as it serves; and every arm.

    `rates`: by which shares are moved.

    Scenes that need a channel which the snapshot does not have are left out: nobody can ask for them.
    """
    return InspectScenesResponse(
        scenes=[
            SceneDetails(
                name=name,
                settings=list(_rows(settings, fitted)),
                channel_shares=channel_shares(name, engine.pipelines[name], rates),
                rates_version=rates.seq,
            )
            for name, settings in engine.configured.by_name.items()
            if (fitted := engine.scenes.get(name)) is not None
        ],
        arms=list(_arms(engine)),
    )


def _rows(configured: SceneSettings, fitted: SceneSettings) -> Iterator[SettingRow]:
    """The keys that the file gives the scene; what suits the shop may leave out some of them."""
    serving = {row.key: row for row in setting_rows(fitted)}
    for row in setting_rows(configured):
        found = serving.get(row.key)
        if found is not None and found.value != row.value:
            row.configured_value = row.value
            row.value = found.value
        yield row


def _arms(engine: Engine) -> Iterator[ExperimentArm]:
    for scene, plan in engine.plans.items():
        for layer in plan.layers:
            for arm in layer.arms:
                yield ExperimentArm(
                    experiment=arm.experiment,
                    scene=scene,
                    arm=arm.name,
                    share=(arm.end - arm.first) / BUCKETS,
                    patch=json.dumps(arm.patch, ensure_ascii=False, default=str),
                )
