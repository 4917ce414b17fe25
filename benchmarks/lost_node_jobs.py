"""The jobs of a build on three Ray nodes, each with and without the loss of one node."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from models.interaction_log import InteractionLog
from models.samples import SamplePoints, cut_points
from models.settings import SampleSettings
from recall.channel import BuildSource
from recall.registry import CHANNELS
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.ray_cluster import RayCluster, Report, connected, silent
from shopfront.cluster.settings import JobSettings
from snapshot import Dataset
from snapshot.dataset import EVENTS_NAME
from snapshot.event_codes import EVENT_CODES
from snapshot.manifest import MANIFEST_NAME
from testing.ray_nodes import KilledDuring, RayNodes, three_nodes
from testing.synthetic_shop import CREATED_AT, synthetic_dataset

PARTS = 6
Made = dict[str, bytes]
"""File → content, of what a job was run for."""


@dataclass(frozen=True)
class JobRun:
    """Where a job is run: on the nodes of `cluster`, or, where that is None, in this process."""

    dataset: Dataset
    folder: Path
    cluster: RayCluster | None
    report: Report


@dataclass(frozen=True)
class JobLoss:
    """A job during which a node was lost; times in seconds."""

    job: str
    parts: int
    undisturbed_s: float
    disturbed_s: float
    recovery_s: float
    """From the loss to the end of the job."""
    equal: bool
    """Whether what the build made by it is what one machine makes, to the byte."""


def _table(channel: str) -> Callable[[JobRun], Made]:
    def build(run: JobRun) -> Made:
        dataset = run.dataset
        now = dataset.manifest.time_range[1]
        source = BuildSource(
            dataset.events().collect(),
            dataset.users(),
            dataset.catalogue,
            now,
            {},
            seed=0,
            work=work_of(run.cluster, dataset.path / EVENTS_NAME, run.folder / "jobs", run.report),
        )
        folder = run.folder / "table"
        folder.mkdir(parents=True)
        CHANNELS[channel].build(source, folder, CHANNELS[channel].settings())
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return build


def _data_set(run: JobRun) -> Made:
    """Ingests the data set's events anew, from a folder of files in order of time."""
    shop = run.folder / "shop"
    (shop / "events").mkdir(parents=True)
    names = pl.DataFrame({"code": list(EVENT_CODES.values()), "name": list(EVENT_CODES)})
    events = run.dataset.events().sort("ts", "user", "item", maintain_order=True).collect()
    rows = events.select(
        pl.format("u{}", "user").alias("user_id"),
        pl.format("i{}", "item").alias("item_id"),
        pl.col("event").replace_strict(names["code"], names["name"]).alias("event"),
        pl.col("ts").alias("timestamp"),
    )
    length = -(-rows.height // PARTS)
    for number, part in enumerate(rows.iter_slices(length)):
        part.write_parquet(shop / "events" / f"{number}.parquet")
    work = work_of(run.cluster, None, run.folder / "jobs", run.report)
    made = ingest_folder(shop, run.folder / "made", IngestSettings(), 0, created_at=CREATED_AT, work=work)
    files = [path for path in made.path.rglob("*") if path.is_file() and path.name != MANIFEST_NAME]
    return {str(path.relative_to(made.path)): path.read_bytes() for path in sorted(files)}


def _samples(run: JobRun) -> Made:
    """Cuts the sample points that a model would be trained on."""
    work = work_of(run.cluster, None, run.folder / "jobs", run.report)
    log = InteractionLog.from_dataset(run.dataset, work)
    before = (0, run.dataset.manifest.cuts.valid_from)
    points = cut_points(log, SampleSettings(), before, np.random.default_rng(0), max_points=2_000)
    columns = {name: getattr(points, name) for name in SamplePoints.__dataclass_fields__}
    return {name: b"" if column is None else column.tobytes() for name, column in columns.items()}


JOBS: dict[str, Callable[[JobRun], Made]] = {
    "events": _data_set,
    "cleaning": _data_set,
    "samples": _samples,
    "interactions": _table("ranki2i"),
    "impressions": _table("ranki2i"),
    "ranki2i": _table("ranki2i"),
    "sequences": _table("item_knn"),
    "item_knn": _table("item_knn"),
    "baskets": _table("bought_together"),
    "bought_together": _table("bought_together"),
}
"""Job → what is built by it and others, so that what it computed can be compared."""


class _Timed:
    """A report that takes the time of one job."""

    def __init__(self, job: str, then: Report) -> None:
        self._job, self._then = job, then
        self._began = self.seconds = 0.0

    def __call__(self, job: str, done: int, of: int) -> None:
        if job == self._job and done == 0:
            self._began = time.monotonic()
        self._then(job, done, of)
        if job == self._job and done == of:
            self.seconds = self.seconds or time.monotonic() - self._began


def job_losses(folder: Path, jobs: Sequence[str], events: int) -> list[JobLoss]:
    """Runs each of the jobs in this process, on three nodes, and on three nodes of which one is lost.

    events: length of the synthetic log.
    """
    dataset = synthetic_dataset(folder / "shop", users=events // 100, items=events // 100, events=events)
    losses = []
    with (
        three_nodes() as nodes,
        connected(JobSettings(address=nodes.address, parts=PARTS)) as cluster,
    ):
        assert cluster is not None
        for job in jobs:
            losses.append(job_loss(job, dataset, folder / job, nodes, cluster))
            nodes.replace()
    return losses


def job_loss(job: str, dataset: Dataset, folder: Path, nodes: RayNodes, cluster: RayCluster) -> JobLoss:
    """Runs one job three times, as `job_losses` does; the newest node is lost in the third."""
    make = JOBS[job]
    whole = make(JobRun(dataset, folder / "whole", None, silent))
    undisturbed = _Timed(job, silent)
    # Workers that are up take parts of the job at once.
    make(JobRun(dataset, folder / "warm", cluster, silent))
    make(JobRun(dataset, folder / "undisturbed", cluster, undisturbed))
    killed = KilledDuring(nodes, job)
    disturbed = _Timed(job, killed)
    found = make(JobRun(dataset, folder / "disturbed", cluster, disturbed))
    if killed.killed_at is None or killed.ended_at is None:
        raise RuntimeError(f"no node was lost during {job}")
    return JobLoss(
        job,
        cluster.settings.parts,
        undisturbed.seconds,
        disturbed.seconds,
        killed.ended_at - killed.killed_at,
        found == whole,
    )
