"""Settings of what requires a verdict of the sandbox."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class VerdictSettings(BaseModel):
    """Where verdicts of `shopfront sandbox` are, and what does not begin without one that passed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(
        Path("build/sample/sandbox"), description="Folder of the verdicts, one file for each subject."
    )
    rollouts: bool = Field(
        False,
        description="Refuse to start the rollout of a version whose sandbox test has not passed.",
    )
    experiments: bool = Field(
        False,
        description="Refuse an experiments file with an arm whose patch has not passed the sandbox test in "
        "each of its scenes. A router does not start with such a file, so test what runs before setting it.",
    )
