"""The pipeline and the stage that the running task works for, so that calls it makes can name them."""

from __future__ import annotations

from contextvars import ContextVar

PIPELINE: ContextVar[str] = ContextVar("pipeline", default="")
"""Name of the running pipeline; empty outside one."""

STAGE: ContextVar[str] = ContextVar("stage", default="")
"""The stage whose work is awaited, as in `StageRecord.stage`; empty outside one."""
