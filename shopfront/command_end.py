"""How a command ends that cannot do its work: which errors are one line, and what Ctrl-C leaves behind."""

import errno
import os
import signal
import threading
from types import FrameType

from rich.console import Console

from server.ingress.client_channel import ChannelError
from shopfront.rollout_commands import RolloutCallFailed
from shopfront.workspace import WorkspaceBusy

INTERRUPTED = 128 + signal.SIGINT
"""Exit status of a command that Ctrl-C ended."""


class Refused(Exception):
    """Something the person at the keyboard must mend; the message says what."""


class RouterLost(Exception):
    """The router has died, and is not started anew here; the message says why."""


def known_errors() -> tuple[type[Exception], ...]:
    """What a person can mend, shown as one line; anything else is a bug and keeps its traceback."""
    from console.access import AccessError
    from evaluation.errors import EvaluationError
    from exporters.errors import ExportRefused
    from foundation.storage.errors import StorageError
    from ingest.shop_tables import IngestError
    from learning.folder_lock import LearnerBusy
    from models.checkpoint import CheckpointError
    from models.training_loop import TrainingError
    from recall.part_build import PartBuildError
    from registration.registry import RegistrationError
    from rollout.errors import RolloutStoreError
    from router.scenes.problems import SettingsError
    from server.ingress.launcher import RouterStartError
    from shopfront.before_build import CannotServe
    from shopfront.cluster.errors import JobError
    from snapshot.manifest import SnapshotError
    from triton_repo.errors import ModelLoadError, RepositoryError, TritonStartError

    return (
        Refused,
        CannotServe,
        JobError,
        RouterLost,
        RolloutCallFailed,
        ChannelError,
        AccessError,
        WorkspaceBusy,
        LearnerBusy,
        SettingsError,
        RegistrationError,
        IngestError,
        TrainingError,
        CheckpointError,
        EvaluationError,
        PartBuildError,
        ExportRefused,
        SnapshotError,
        StorageError,
        RolloutStoreError,
        RouterStartError,
        TritonStartError,
        ModelLoadError,
        RepositoryError,
    )


def print_failure(to: Console, error: BaseException | str) -> None:
    """Prints the one line that a command ends with; brackets in it are text, not markup.

    Where it is not printed on a terminal, which has a width, the line is not wrapped.
    """
    to.print(f"shopfront: {error}", style="red", markup=False, highlight=False, soft_wrap=not to.is_terminal)


def full_disk(error: BaseException) -> str:
    """The line that a command ends with where a full disk caused its error; "" where nothing says so.

    Libraries that write files raise errors of their own for it, some with the system's words in them.
    """
    words = os.strerror(errno.ENOSPC)
    each: BaseException | None = error
    while each is not None:
        full = isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or words in str(each):
            file = each.filename if isinstance(each, OSError) else None
            where = f"of {file}" if file else f"of the workspace, or of {os.environ.get('TMPDIR', '/tmp')},"
            return f"the disk {where} is full ({words}): make room, and run the command again"
        each = each.__cause__ or each.__context__
    return ""


def remember_interrupts() -> threading.Event:
    """An event that the first Ctrl-C sets, which is a KeyboardInterrupt as before."""
    seen = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        seen.set()
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, on_interrupt)
    return seen
