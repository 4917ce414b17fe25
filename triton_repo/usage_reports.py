"""ONNX Runtime reports its use to its makers unless the environment refuses that before it is loaded."""

from __future__ import annotations

import os

REFUSED_BY = "ORT_DISABLE_TELEMETRY"


def refuse_usage_reports() -> None:
    """Makes ONNX Runtime send nothing, in this process and its children, unless `REFUSED_BY` is set already.

    From version 1.29 on it keeps an id of the device and a queue of reports below the user's home folder. It
    looks at the environment once, when it is first imported, so a room that imports it calls this in its
    `__init__`.
    """
    os.environ.setdefault(REFUSED_BY, "1")
