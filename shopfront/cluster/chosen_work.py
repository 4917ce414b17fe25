"""Where the build does what can be done in parts."""

from __future__ import annotations

from pathlib import Path

from shopfront.cluster.ray_cluster import RayCluster, Report
from snapshot.partition_work import IN_THIS_PROCESS, PartitionWork


def work_of(cluster: RayCluster | None, events: Path | None, jobs: Path, report: Report) -> PartitionWork:
    """Work on a cluster, in this process where there is none.

    Args:
        cluster: whose nodes compute parts.
        events: events.parquet of the data set that is worked on; None where there is none yet.
        jobs: folder of what is done.
        report: called with what is done.
    """
    if cluster is None:
        return IN_THIS_PROCESS
    from shopfront.cluster.ray_work import RayWork

    return RayWork(cluster, None if events is None else events.absolute(), jobs.absolute(), report)
