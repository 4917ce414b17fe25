"""A shop with pictures, and what the real encoder makes of them; made once, since an export takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from models.picture_encoder import NAME as ENCODER
from recall.item_pictures import ItemPictures
from shopfront import picture_step
from shopfront.progress import Progress
from shopfront.settings import default_settings
from shopfront.training import train_model
from shopfront.workspace import Workspace
from snapshot import Dataset
from testing.picture_shop import write_picture_shop
from testing.synthetic_shop import CREATED_AT
from testing.triton_server import tiny_repository
from triton_repo.repository import ModelRepository

USERS, ITEMS, PICTURED = 60, 120, 60


@dataclass(frozen=True)
class PictureShop:
    """A workspace whose pictures are encoded; its Triton repository has the tiny `bst` and `mind` too."""

    workspace: Workspace
    data: Path
    dataset: Dataset
    repository: ModelRepository
    made: str
    printed: str

    @property
    def pictures(self) -> ItemPictures:
        """Of its items."""
        opened = picture_step.opened(self.workspace, self.made)
        assert opened is not None
        return opened


def make_pictures(
    workspace: Workspace, data: Path, dataset: Dataset, repository: ModelRepository
) -> tuple[str, str]:
    """The build step over version 1 of the encoder: what it made, and what it printed."""
    printed = StringIO()
    made = picture_step.make(
        workspace,
        default_settings(),
        dataset.manifest.id,
        data,
        repository.version_folder(ENCODER, 1),
        Progress(Console(file=printed, width=200)),
    )
    return made, printed.getvalue()


@pytest.fixture(scope="session")
def picture_shop(tmp_path_factory: pytest.TempPathFactory) -> PictureShop:
    from exporters.checkpoint_export import export
    from exporters.settings import ExportSettings
    from models.training_loop import silent

    root = tmp_path_factory.mktemp("pictures")
    workspace, data = Workspace(root), root / "shop"
    write_picture_shop(data, USERS, ITEMS, events=3_000, pictured=PICTURED)
    dataset = ingest_folder(data, root, IngestSettings(), seed=0, created_at=CREATED_AT)
    settings = default_settings()
    trained = train_model(
        ENCODER, dataset, getattr(settings.models, ENCODER), workspace.checkpoints, silent, {}
    )
    repository = tiny_repository(root)
    export(
        workspace.checkpoints / ENCODER / trained.checkpoint,
        dataset,
        repository,
        ExportSettings(formats=("onnx",), sample_shoppers=4, speed_rounds=3, minimum_speed_ratio=0),
        seed=1,
        clock=lambda: CREATED_AT.timestamp(),
    )
    made, printed = make_pictures(workspace, data, dataset, repository)
    return PictureShop(workspace, data, dataset, repository, made, printed)
