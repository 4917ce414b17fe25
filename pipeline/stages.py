"""What a stage looks like to the runner: one Protocol per kind, generic in the query.

A stage holds its own logic only. Deadlines, metrics, trace and failure policy are the runner's:

* a stage whose dependency failed raises `DependencyError` (a `TimeoutError` counts the same): the answer goes
  on without the stage and names it in `degraded`;
* any other exception is a bug: the run ends with `StageBug`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.candidates import Candidates, Float32, Int32

if TYPE_CHECKING:
    from pipeline.trace import StageRecord

Q_contra = TypeVar("Q_contra", contravariant=True)
R_contra = TypeVar("R_contra", contravariant=True)


class DependencyError(Exception):
    """A server, a store or a table that a stage needs failed; the answer can do without it.

    The message names the dependency and what went wrong.
    """


class StageBug(Exception):
    """A stage failed for another reason than an outage: a bug, never hidden as an empty answer.

    stage  kind and name, for example "channel:hot"
    cause  what the stage raised, with its traceback (also `__cause__`)
    trace  records of the stages that ended before, and of this one
    """

    def __init__(self, stage: str, cause: BaseException, trace: Sequence[StageRecord] = ()) -> None:
        """See the class for the arguments."""
        super().__init__(f"stage {stage} failed: {type(cause).__name__}: {cause}")
        self.stage = stage
        self.cause = cause
        self.trace = tuple(trace)


class ContractError(Exception):
    """A stage returned something its Protocol does not allow; the message says what."""


class DeadlineExceeded(Exception):
    """The caller's deadline had passed before the run began; no stage was called."""


class Model(NamedTuple):
    """The model that scored a page; both empty where none did."""

    name: str
    version: str


NO_MODEL = Model("", "")


class RecalledColumns(Protocol):
    """A channel's answer: three columns of equal length m, best first, and what is missing in it."""

    @property
    def items(self) -> Int32:
        """int32[m], no item twice, all above 0."""
        ...

    @property
    def scores(self) -> Float32:
        """float32[m], in the channel's own scale."""
        ...

    @property
    def triggers(self) -> Int32:
        """int32[m], item that caused the recall, 0 = none."""
        ...

    @property
    def missing(self) -> str:
        """What of the channel took no part in it, for people; "" = nothing."""
        ...


class Recalled(NamedTuple):
    """What a channel returns, best first: never a duplicate, never item 0, never −1."""

    items: Int32
    """int32[m], dense items."""
    scores: Float32
    """float32[m], descending; comparable inside one channel only."""
    triggers: Int32
    """int32[m], the query's item that caused each; 0 = none."""
    missing: str = ""
    """What of the channel took no part in it, for people; "" = nothing. Named in `degraded`."""


EMPTY_RECALL = Recalled(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))
"""What a channel recalls that finds nothing."""


class Channel(Protocol[Q_contra]):
    """One way to find candidates."""

    @property
    def name(self) -> str:
        """As the scene configuration and the answer's reasons call it."""
        ...

    async def recall(self, query: Q_contra, k: int) -> RecalledColumns:
        """At most k items, no duplicate, no 0, no −1. Fewer than k means that the channel has no more."""
        ...


class Fusion(Protocol):
    """Turns the channels' answers into one candidate set."""

    def fuse(self, recalled: Sequence[RecalledColumns], total: int) -> Candidates:
        """At most `total` candidates in recall order; `recalled[i]` sets channel bit i."""
        ...


class LiveFusion(Protocol[Q_contra]):
    """A source of fusions, for one whose parts change while the shop is open."""

    def fusion_for(self, query: Q_contra) -> tuple[Fusion, str]:
        """The fusion of this query, and what its trace says of it; "" where there is nothing to say."""
        ...


class Filter(Protocol[Q_contra]):
    """Decides which candidates may be shown."""

    @property
    def name(self) -> str:
        """The reason for which it removes candidates, as configuration, trace and metrics call it."""
        ...

    def keep(self, query: Q_contra, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """bool[n], False where the candidate must not be shown."""
        ...


class Scorer(Protocol[Q_contra]):
    """Predicts how much the shopper wants each candidate."""

    async def score(self, query: Q_contra, candidates: Candidates) -> Mapping[str, Float32]:
        """One or more named columns float32[n], higher is better; a NaN sinks below every number.

        The first column orders the candidates where no merge says otherwise. The names, and their order, are
        the same in every call.
        """
        ...

    def model(self, query: Q_contra) -> Model:
        """The model and version by which `score` scores this query; called after `score`."""
        ...


class LiveScorer(Protocol[Q_contra]):
    """A scorer whose version changes while the process runs, faster than snapshots are published."""

    def current(self) -> Scorer[Q_contra]:
        """The current version; it keeps scoring as it does now when a newer one replaces it."""
        ...


class MergedScore(NamedTuple):
    """The one score that a merge makes of several columns.

    values       float32[n], higher is better; a NaN sinks below every number
    column       name of the column that counts most; the model of its scorer is named as the answer's
    probability  float32[n], of the scene's event, which answers show as the score; None: it is not known
    shown        float32[n], what answers show where it is neither; None: `values`
    """

    values: Float32
    column: str
    probability: Float32 | None = None
    shown: Float32 | None = None


class Merge(Protocol):
    """Makes one score of the columns of several scorers."""

    @property
    def name(self) -> str:
        """As the scene configuration and the trace call it."""
        ...

    def merge(self, columns: Mapping[str, Float32]) -> MergedScore | None:
        """The score of n candidates; None where it needs columns that are not there.

        `columns` float32[n] by "<scorer>.<column>", at least one, in the order of the scorers; those of a
        scorer that failed are absent. They must not be changed.
        """
        ...


class Reranker(Protocol[Q_contra]):
    """Arranges the page."""

    @property
    def name(self) -> str:
        """As the scene configuration and the trace call it."""
        ...

    def order(self, query: Q_contra, candidates: Candidates, page_size: int) -> npt.NDArray[np.intp]:
        """Distinct positions int[m] in page order, with min(page_size, n) ≤ m ≤ n.

        `candidates` come best first. Positions beyond `page_size` serve the next reranker as spares.
        """
        ...


class SideEffect(Protocol[Q_contra, R_contra]):
    """Something to do once the answer has left."""

    @property
    def name(self) -> str:
        """As logs and metrics call it."""
        ...

    def applies_to(self, query: Q_contra, response: R_contra) -> bool:
        """Whether there is anything to do for an answer; cheap, since it is called for every one."""
        ...

    async def after(self, query: Q_contra, response: R_contra) -> None:
        """Does it, for an answer that it applies to.

        An exception is counted and logged; it reaches no caller.
        """
        ...
