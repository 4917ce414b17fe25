"""Pages of a built workspace, made in this process over the published snapshot, for a person to read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from evaluation.loaded_models import load_models, services
from evaluation.queries import anonymous_at, profiles_of, shopper_at
from evaluation.served_scene import served_items
from models.interaction_log import InteractionLog
from pipeline.plan import Pipeline
from recall.build import RECALL_FOLDER, open_channels
from recall.query import Query
from recall.triggers import TriggerSettings
from router.service.validation import ITEM_SCENES
from router.tables.files import TABLES_FOLDER
from shopfront.build_steps import built
from shopfront.command_end import Refused
from shopfront.evaluation import checkpoints_of, limit_threads, served_scenes
from shopfront.page_sheet import Sheet, TitledColumn
from shopfront.settings import Settings, scene_configuration
from shopfront.workspace import Workspace
from snapshot.catalogue import Catalogue
from snapshot.dataset import DatasetStore
from snapshot.store import SnapshotStore

ANONYMOUS = ""


@dataclass(frozen=True)
class PageReader:
    """The scenes of a published snapshot, and the shoppers of its data set.

    The time is that of the log's last event: histories are whole, and filters count days from there.
    pipelines: scene → its pipeline; users: user_id → index; profiles: as of `profiles_of`.
    """

    catalogue: Catalogue
    log: InteractionLog
    pipelines: Mapping[str, Pipeline[Query]]
    users: Mapping[str, int]
    profiles: Mapping[int, tuple[str, Mapping[str, str]]]
    triggers: TriggerSettings
    now: int

    @classmethod
    def open(cls, workspace: Workspace, settings: Settings, scenes: Sequence[str]) -> PageReader:
        """Opens the published snapshot with the newest checkpoint of each of its models.

        Args:
            workspace: a built one.
            settings: of the whole application.
            scenes: names; empty = all that are configured.

        Raises:
            Refused: a scene is not configured, or nothing is published.
            SnapshotError: the snapshot lacks a channel that the settings enable.
            SettingsError: a scene cannot be served from the snapshot.
        """
        limit_threads(settings)
        known = scene_configuration(settings).by_name
        unknown = sorted(set(scenes) - set(known))
        if unknown:
            raise Refused(
                f"no scene {', '.join(unknown)} is configured; name one of {', '.join(known)}, or add "
                f"it to {settings.router.scenes}"
            )
        if SnapshotStore(workspace.snapshots).current_id() is None:
            raise Refused(f"{workspace.root} has no published snapshot: run shopfront build first")
        made = built(workspace)
        dataset = DatasetStore(workspace.datasets).open(made.dataset, verify=False)
        snapshot = SnapshotStore(workspace.snapshots).open(made.snapshot, verify=False)
        configured = served_scenes(settings, snapshot.manifest.shop)
        models = load_models(checkpoints_of(workspace, made), made.dataset)
        recall = settings.router.recall
        channels = open_channels(snapshot.path / RECALL_FOLDER, snapshot.catalogue, services(models), recall)
        users = dataset.users()
        return cls(
            catalogue=snapshot.catalogue,
            log=InteractionLog.from_dataset(dataset),
            pipelines={
                name: configured[name].opened(
                    snapshot.path / TABLES_FOLDER, snapshot.catalogue, channels, models
                )
                for name in scenes or configured
            },
            users=dict(zip(users["user_id"], users["user"], strict=True)),
            profiles=profiles_of(users),
            triggers=recall.triggers,
            now=dataset.manifest.time_range[1] + 1,
        )

    def draw(self, count: int, seed: int) -> list[str]:
        """At most `count` shoppers who did something, user_ids drawn by `seed`."""
        active = np.unique(self.log.behaviours.user)
        chosen = np.random.default_rng(seed).permutation(active)[:count]
        return [self.profiles[int(user)][0] for user in chosen]

    def pages_for(self, user_id: str, size: int) -> Sheet:
        """The shopper's newest items beside the page of every scene that is about no item.

        Args:
            user_id: empty = anonymous.
            size: items in each column.

        Raises Refused where the data set has no such shopper.
        """
        query, taken = self._shopper(user_id)
        pages = [
            TitledColumn(scene, *self._titled(self._page(scene, query, size), taken))
            for scene in self.pipelines
            if scene not in ITEM_SCENES
        ]
        if user_id == ANONYMOUS:
            return Sheet("an anonymous shopper", pages)
        newest = taken[::-1]
        newest = newest[np.sort(np.unique(newest, return_index=True)[1])][:size]
        titles, _ = self._titled(newest, newest[:0])
        return Sheet(self._named(user_id), [TitledColumn("took last", titles, [False] * len(titles)), *pages])

    def pages_about(self, item_ids: Sequence[str], user_id: str, size: int) -> list[Sheet]:
        """For each scene, the pages about the items side by side; arguments as of `pages_for`.

        Raises Refused where the catalogue lacks an item, or the data set the shopper.
        """
        items = self.catalogue.dense(item_ids)
        lacking = [item for item, known in zip(item_ids, items > 0, strict=True) if not known]
        if lacking:
            raise Refused(
                f"the catalogue has no item {', '.join(lacking)}; name an item_id of the shop's items or "
                "events"
            )
        query, taken = self._shopper(user_id)
        who = "an anonymous shopper" if user_id == ANONYMOUS else self._named(user_id)
        headings, _ = self._titled(items, items[:0])
        return [
            Sheet(
                f"{scene} for {who}",
                [
                    TitledColumn(
                        heading,
                        *self._titled(self._page(scene, query.about(items[at : at + 1]), size), taken),
                    )
                    for at, heading in enumerate(headings)
                ],
            )
            for scene in self.pipelines
        ]

    def _shopper(self, user_id: str) -> tuple[Query, NDArray[np.int32]]:
        """The query, and all the items int32[h] that the shopper took, oldest first."""
        if user_id == ANONYMOUS:
            return anonymous_at(self.now), np.empty(0, np.int32)
        if user_id not in self.users:
            raise Refused(
                f"the data has no shopper {user_id}; name a user_id of the shop's events or users, or leave "
                "--user out to have some drawn"
            )
        user = self.users[user_id]
        behaviours = self.log.behaviours
        taken = behaviours.item[behaviours.offsets[user] : behaviours.offsets[user + 1]]
        return shopper_at(self.log, user, self.profiles, self.now, self.triggers).query, taken

    def _page(self, scene: str, query: Query, size: int) -> NDArray[np.int32]:
        return asyncio.run(served_items(self.pipelines[scene], replace(query, scene=scene), size))

    def _titled(self, items: NDArray[np.int32], taken: NDArray[np.int32]) -> tuple[list[str], list[bool]]:
        """Each item's title, or its id where it has none, and whether it was taken."""
        names = zip(self.catalogue.titles(items), self.catalogue.item_ids(items), strict=True)
        return [title or item_id for title, item_id in names], np.isin(items, taken).tolist()

    def _named(self, user_id: str) -> str:
        behaviours = self.log.behaviours
        user = self.users[user_id]
        ts = behaviours.ts[behaviours.offsets[user] : behaviours.offsets[user + 1]]
        if not len(ts):
            return f"shopper {user_id}, who did nothing yet"
        last = datetime.fromtimestamp(int(ts[-1]), UTC)
        return f"shopper {user_id}, {len(ts):,} events, the last on {last:%Y-%m-%d}"
