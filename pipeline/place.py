"""Where in which pipeline the running task works, for what it calls outside the pipeline to say so."""

from __future__ import annotations

from contextvars import ContextVar

PIPELINE: ContextVar[str] = ContextVar("pipeline", default="")
"""Name of the pipeline that runs; empty outside one."""

STAGE: ContextVar[str] = ContextVar("stage", default="")
"""The stage whose work is awaited, as in `StageRecord.stage`; empty outside one."""
