"""A shop with pictures, and what the real encoder makes of them; made once, since an export takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ingest.ingest_folder import ingest_folder
from ingest.settings import IngestSettings
from models.picture_encoder import NAME as ENCODER
from recall.outfit_sets import OutfitSets
from shopfront import picture_step
from shopfront.progress import Progress
from shopfront.settings import Settings, default_settings
from shopfront.training import train_model
from shopfront.workspace import Workspace
from snapshot import Dataset
from testing.picture_shop import write_picture_shop
from testing.running_router import in_process
from testing.served_shop import SCENES, ServedShop
from testing.synthetic_shop import CREATED_AT
from testing.triton_server import BOTH, started, tiny_repository
from tests.vision.photos import PHOTO_SEARCH, VERSIONS, Photos
from tests.vision.picture_shop import PictureShop
from triton_repo.repository import ModelRepository
from triton_repo.server import TritonServer
from triton_repo.settings import ModelSettings, TritonSettings

USERS, ITEMS, PICTURED = 60, 120, 60
SCENES_MADE, STEPS = 48, 100


def settings_of(workspace: Workspace) -> Settings:
    """The defaults, with a state store in the workspace, beside the one that a router there has open."""
    defaults = default_settings()
    state = defaults.router.state.model_copy(update={"url": f"lmdb://{workspace.root / 'build_state'}"})
    pictures = defaults.pictures.model_copy(update={"object_scenes": SCENES_MADE, "object_steps": STEPS})
    router = defaults.router.model_copy(update={"state": state})
    return defaults.model_copy(update={"router": router, "pictures": pictures})


def make_pictures(
    workspace: Workspace, data: Path, dataset: Dataset, repository: ModelRepository
) -> tuple[str, str]:
    """The build step over version 1 of the encoder: what it made, and what it printed."""
    printed = StringIO()
    made = picture_step.make(
        workspace,
        settings_of(workspace),
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


def outfits_of(dataset: Dataset) -> OutfitSets:
    """Sets of three items of different categories, each item in one at most."""
    category = dataset.catalogue.category
    left = {code: np.flatnonzero(category == code).tolist() for code in np.unique(category[1:]).tolist()}
    sets: list[list[int]] = []
    while sum(map(bool, left.values())) >= 3:
        fullest = sorted(left, key=lambda code: -len(left[code]))[:3]
        sets.append(sorted(left[code].pop(0) for code in fullest))
    numbers = np.repeat(np.arange(len(sets), dtype=np.int32), 3)
    return OutfitSets(numbers, np.array(sets, np.int32).reshape(-1))


@pytest.fixture(scope="session")
def photos(picture_shop: PictureShop) -> Iterator[Photos]:
    served = ServedShop(picture_shop.workspace.root, picture_shop.dataset)
    served.scenes.write_text(SCENES + PHOTO_SEARCH)
    served.publish(
        models=VERSIONS,
        pictures=picture_shop.pictures,
        thumbnails=picture_shop.thumbnails,
        outfits=outfits_of(picture_shop.dataset),
    )
    triton = TritonServer(
        picture_shop.repository,
        served.folder / "triton.log",
        TritonSettings(models={**BOTH, "picture_encoder": ModelSettings()}),
    )
    with started(triton):
        settings = served.settings(triton.grpc_url, photo_search={"encode_timeout_ms": 10_000.0})
        with in_process(settings) as ingress:
            yield Photos(picture_shop, served, ingress, triton)
