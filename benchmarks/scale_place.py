"""Where the steps of growing a shop work: the order of one, and the folder of a size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopfront.settings import Settings, load_settings
from shopfront.workspace import DEFAULT_FILE, Workspace

MODELS = ("mind", "bst")
Figures = dict[str, float]
StepResult = tuple[Any, Figures]
"""What a step made, for those after it, and what it measured by name."""


@dataclass(frozen=True)
class Order:
    """Which step of which size.

    step: a key of `STEPS`; folder: of this size; training_steps: of each model; requests: of each load.
    """

    step: str
    folder: str
    items: int
    seed: int
    training_steps: int
    requests: int


@dataclass(frozen=True)
class Place:
    """The folder of one size: the shop's files, the workspace, and what steps made."""

    order: Order

    @property
    def folder(self) -> Path:
        """Of this size."""
        return Path(self.order.folder)

    @property
    def data(self) -> Path:
        """The shop's files."""
        return self.folder / "shop"

    @property
    def workspace(self) -> Workspace:
        """What is built of them."""
        return Workspace(self.folder / "workspace")

    def settings(self) -> Settings:
        """The project's own, with training bounded."""
        settings = load_settings(DEFAULT_FILE, self.workspace)
        models = settings.models
        for name in MODELS:
            section = getattr(models, name)
            steps = self.order.training_steps
            training = section.training.model_copy(update={"max_steps": steps, "evaluate_every": steps})
            models = models.model_copy(update={name: section.model_copy(update={"training": training})})
        return settings.model_copy(update={"models": models})

    def result(self, step: str) -> Path:
        """Where a step writes."""
        return self.folder / "steps" / f"{step.replace(' ', '_')}.json"

    def made(self, step: str) -> Any:
        """What a step made; FileNotFoundError where it has not run."""
        return json.loads(self.result(step).read_text())["made"]

    def dataset(self) -> str:
        """The data set's id."""
        return str(self.made("ingest"))

    def checkpoints(self) -> dict[str, Path]:
        """Model → folder of its checkpoint."""
        return {model: self.workspace.checkpoints / model / self.made(f"train {model}") for model in MODELS}

    def versions(self) -> dict[str, int]:
        """Model → version on Triton."""
        return {model: int(self.made(f"export {model}")) for model in MODELS}


def mib(folder: Path) -> float:
    """Size of all files below a folder, MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
