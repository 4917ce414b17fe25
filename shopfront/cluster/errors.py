"""How work on many machines can fail; the messages name the job, the part and what to do."""

from __future__ import annotations


class JobError(Exception):
    """A job ended before all its parts were computed; nothing is published."""


class PartFailed(JobError):
    """A part cannot be computed from its data; another attempt would fail too."""


class NodesLost(JobError):
    """Nodes were lost and not replaced; parts that are done are kept, and the job can be resumed."""


class CannotReachCluster(JobError):
    """The Ray cluster that the settings name does not accept jobs."""


class CannotTrainHere(JobError):
    """A package is missing that training by several workers needs."""
