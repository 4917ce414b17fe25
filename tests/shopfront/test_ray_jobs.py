"""Tables computed by three Ray nodes, of which one is killed, are those of one machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lost_node_jobs import JOBS, job_loss
from recall.channel import BuildSource
from recall.pictures.searched import IndexChange
from recall.pictures.settings import SimilarLookSettings
from recall.pictures.shard import shard_folders, write_shards
from recall.pictures.sharded_index import ShardedIndex, ShardsInProcess
from recall.pictures.silent_shards import SilentShards
from recall.registry import CHANNELS
from shopfront.cluster.chosen_work import work_of
from shopfront.cluster.errors import CannotReachCluster, NodesLost, PartFailed
from shopfront.cluster.part_files import PartFiles
from shopfront.cluster.ray_cluster import Part, RayCluster, connected, silent
from shopfront.cluster.ray_work import RayWork
from shopfront.cluster.settings import JobSettings
from snapshot import Dataset
from snapshot.partition_work import IN_THIS_PROCESS
from testing.ray_nodes import RayNodes, three_nodes
from testing.synthetic_shop import synthetic_dataset

PARTS = 4
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with three_nodes() as started:
        yield started


@pytest.fixture(scope="module")
def cluster(nodes: RayNodes) -> Iterator[RayCluster]:
    with connected(JobSettings(address=nodes.address, parts=PARTS, attempts=2)) as reached:
        assert reached is not None
        yield reached


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return synthetic_dataset(tmp_path_factory.mktemp("workspace"), users=60, items=80, events=3_000)


def source_of(dataset: Dataset, **work: object) -> BuildSource:
    now = dataset.manifest.time_range[1]
    return BuildSource(
        dataset.events().collect(), dataset.users(), dataset.catalogue, now, {}, seed=0, **work
    )


def table(source: BuildSource, channel: str, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    CHANNELS[channel].build(source, folder, CHANNELS[channel].settings())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_node_killed_while_tables_are_computed_changes_nothing(
    dataset: Dataset, nodes: RayNodes, cluster: RayCluster, tmp_path: Path
) -> None:
    assert job_loss("ranki2i", dataset, tmp_path, nodes, cluster).equal
    nodes.replace()


@pytest.mark.faults
@pytest.mark.parametrize("job", [job for job in JOBS if job != "ranki2i"])
def test_a_node_killed_during_any_job_changes_nothing(
    job: str, dataset: Dataset, nodes: RayNodes, cluster: RayCluster, tmp_path: Path
) -> None:
    assert job_loss(job, dataset, tmp_path, nodes, cluster).equal
    nodes.replace()


@pytest.mark.faults
def test_a_part_that_may_be_begun_once_is_lost_with_its_node(
    dataset: Dataset, nodes: RayNodes, cluster: RayCluster, tmp_path: Path
) -> None:
    once = RayCluster(cluster.settings.model_copy(update={"attempts": 1}))
    with pytest.raises(
        NodesLost, match=r"ranki2i: rows \d+…\d+: 1 processes or nodes.*3 of 4 parts are done"
    ):
        job_loss("ranki2i", dataset, tmp_path, nodes, once)
    nodes.replace()
    kept = RayWork(cluster, dataset.path / "events.parquet", tmp_path / "disturbed" / "jobs")
    resumed = table(source_of(dataset, work=kept), "ranki2i", tmp_path / "resumed")
    assert resumed == table(source_of(dataset), "ranki2i", tmp_path / "alone")


@pytest.mark.slow
def test_a_part_that_cannot_be_read_is_named_and_the_others_are_not_computed_again(
    dataset: Dataset, cluster: RayCluster, tmp_path: Path
) -> None:
    torn = tmp_path / "events.parquet"
    content = bytearray((dataset.path / "events.parquet").read_bytes())
    content[200:400] = bytes(200)
    torn.write_bytes(content)
    with pytest.raises(
        PartFailed, match=r"interactions: shoppers \d+…\d+ of .*events.parquet.*cannot be read"
    ):
        table(source_of(dataset, work=RayWork(cluster, torn, tmp_path / "jobs")), "ranki2i", tmp_path / "t")


@pytest.mark.slow
def test_a_job_without_a_node_waits_and_says_how_to_resume(cluster: RayCluster, tmp_path: Path) -> None:
    waiting = RayCluster(cluster.settings.model_copy(update={"cpus_per_part": 9.0, "node_wait_s": 0.1}))
    files = PartFiles.of(tmp_path, "job", "inputs", {})
    with pytest.raises(NodesLost, match=r"no node has been left with 9 CPUs. 0 of 1 parts are done and kept"):
        waiting.run("job", files, [Part("part 0", dies_until, (tmp_path, 0))])


@pytest.mark.faults
def test_a_job_that_lost_its_processes_says_so_and_continues_where_it_was(
    cluster: RayCluster, tmp_path: Path
) -> None:
    files = PartFiles.of(tmp_path, "job", "inputs", {"numbers": np.arange(3)})
    parts = [Part(f"part {number}", dies_until, (tmp_path / "alive", number)) for number in range(3)]
    with pytest.raises(NodesLost, match=r"job: part 2: 2 processes or nodes.*run the same command again"):
        cluster.run("job", files, parts)
    (tmp_path / "alive").touch()
    begun = files.attempts()
    done = sum(files.has(number) for number in range(3))
    results = cluster.run("job", files, parts)
    assert [int(result["number"]) for result in results] == [0, 1, 2]
    assert files.attempts() == begun + 3 - done


def dies_until(alive: Path, number: int) -> dict[str, np.ndarray]:
    """Runs on a node, whose process it ends, unless the file is there or it is not the last part."""
    import os

    if number == 2 and not alive.exists():
        os._exit(1)
    return {"number": np.array(number)}


@pytest.mark.slow
@pytest.mark.parametrize("address", ["127.0.0.1:1", "head"])
def test_a_cluster_that_is_not_there_is_named(address: str) -> None:
    with (
        pytest.raises(CannotReachCluster, match=f"jobs.address '{address}' is no Ray cluster that accepts"),
        connected(JobSettings(address=address)),
    ):
        pass


def test_without_an_address_everything_is_done_in_this_process(tmp_path: Path) -> None:
    with connected(JobSettings()) as cluster:
        assert cluster is None
        assert work_of(cluster, None, tmp_path, silent) is IN_THIS_PROCESS


@pytest.mark.slow
def test_shards_of_pictures_answer_as_one_index_and_say_which_one_was_killed(
    cluster: RayCluster, tmp_path: Path
) -> None:
    import ray

    from server.composition.picture_shards import RayShards

    random = np.random.default_rng(1)
    vectors = random.standard_normal((200, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    items = np.arange(1, 81, dtype=np.int32).repeat(3)[:200]
    contents = np.arange(400, dtype=np.uint64).reshape(-1, 2)
    catalogue = synthetic_dataset(tmp_path / "shop", users=5, items=80, events=100).catalogue
    settings = SimilarLookSettings(index="flat", shards=2)
    assert write_shards(tmp_path, items, contents, vectors, 0, catalogue, settings, 1) == 2
    bounds, folders = shard_folders(tmp_path, catalogue.size)
    shards = RayShards(folders, 8, settings)
    try:
        index = ShardedIndex(shards, bounds, 0, timeout_s=30.0, silent=SilentShards(100.0, 1.0))
        assert index.revision == 0
        assert index.pictures == (200, 0)
        deleted = int(index.search(vectors[0], 1).items[0])
        index.apply([IndexChange(deleted, None, None)], 1)
        alone = ShardedIndex(
            ShardsInProcess(folders, 8, settings), bounds, 0, timeout_s=1.0, silent=SilentShards(0.0, 1.0)
        )
        alone.apply([IndexChange(deleted, None, None)], 1)
        for vector in vectors[::40]:
            one, many = alone.search(vector, 20), index.search(vector, 20)
            assert many.items.tolist() == one.items.tolist()
            assert many.missing == ""
        ray.kill(shards.actors[1])
        # Ray kills later than it returns; until then both parts answer.
        until = time.monotonic() + 60
        while not (found := index.search(vectors[0], 80)).missing and time.monotonic() < until:
            time.sleep(0.05)
        assert "part 2 of 2: its process is gone" in found.missing
        assert len(found.items)
        assert found.items.max() <= bounds[1]
        # What follows the pictures that arrive looks for it, and gives it what was deleted.
        assert index.revision == 1
        until = time.monotonic() + 60
        while index.revision and time.monotonic() < until:
            time.sleep(0.2)
        assert "catching up" in index.search(vectors[0], 80).missing
        index.apply([IndexChange(deleted, None, None)], 1)
        everything = index.search(vectors[0], 80)
        assert everything.missing == ""
        assert everything.items.tolist() == alone.search(vectors[0], 80).items.tolist()
    finally:
        shards.end()
