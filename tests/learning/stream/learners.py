"""Learners over real stores, in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from foundation.telemetry.metrics.process_metrics import ProcessMetrics
from learning.learner import Learner
from learning.metrics import LearnerMetrics
from server.settings import RouterSettings
from state.store import StateStore
from testing.browsing_log import CODEC
from testing.served_shop import ServedShop
from tests.learning.stream.logs import facts_of

NO_TRITON = "127.0.0.1:1"


def settings_of(shop: ServedShop, folder: Path, **stream: Any) -> RouterSettings:
    return shop.settings(
        NO_TRITON,
        learning={
            "folder": str(folder),
            "stream": {"window_s": 120, "label_wait_s": 20, "poll_s": 0.01, **stream},
        },
    )


def learner_of(settings: RouterSettings, store: StateStore, metrics: ProcessMetrics | None = None) -> Learner:
    return Learner(
        settings.learning,
        store,
        "log",
        CODEC,
        facts_of(settings),
        LearnerMetrics(metrics or ProcessMetrics()),
    )


def read_all(learner: Learner) -> str:
    while learner.step():
        pass
    return learner.digest()


@contextmanager
def started(settings: RouterSettings, secret: bytes = b"") -> Iterator[subprocess.Popen[str]]:
    """A process that learns from tokens signed with `secret`; it is waited for."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.learning.stream.learner_process", settings.model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, settings.attribution.secret_variable: secret.decode()},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "learning\n"
            yield process
        finally:
            process.kill()
