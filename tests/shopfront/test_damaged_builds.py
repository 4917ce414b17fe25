"""What was built before and is damaged is built again by itself, in a line; old builds never end a run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from shopfront.build_steps import Build, Built
from shopfront.progress import Progress
from shopfront.serve import serving
from shopfront.settings import Settings, load_settings
from shopfront.workspace import Workspace
from snapshot.store import SnapshotStore
from testing.synthetic_shop import write_synthetic_shop
from triton_repo.errors import TritonStartError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
models:
  bst: {training: {max_steps: 20, evaluate_every: 10, validation_points: 100}}
export: {formats: [onnx]}
router: {recall: {mind: {enabled: false}}, ingress: {address: "127.0.0.1:0"}, metrics: {port: 0}}
"""


@dataclass(frozen=True)
class Shop:
    """A workspace and the configuration it is built with."""

    data: Path
    workspace: Workspace
    settings: Settings

    def build(self) -> tuple[Built, str]:
        """What a build made, and what it printed."""
        printed = StringIO()
        progress = Progress(Console(file=printed, width=400))
        return Build(self.workspace, self.settings, self.data, progress).run(), printed.getvalue()


@pytest.fixture(scope="module")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("damaged")
    (root / "config").mkdir()
    (root / "config" / "shopfront.yaml").write_text(SETTINGS)
    (root / "config" / "scenes.yaml").write_text("scenes: {home: {}}")
    write_synthetic_shop(root / "data", users=120, items=300, events=6000, seed=3)
    workspace = Workspace(root / "workspace")
    shop = Shop(root / "data", workspace, load_settings(root / "config" / "shopfront.yaml", workspace))
    shop.build()
    return shop


@pytest.fixture
def shop(built_shop: Shop, tmp_path: Path) -> Shop:
    """A copy that the test may damage."""
    workspace = Workspace(tmp_path / "workspace")
    shutil.copytree(built_shop.workspace.root, workspace.root, symlinks=True)
    return Shop(
        built_shop.data,
        workspace,
        load_settings(built_shop.data.parent / "config" / "shopfront.yaml", workspace),
    )


def flip(file: Path) -> None:
    """Changes a byte in the middle, which no size shows."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.chmod(0o600)
    file.write_bytes(content)


def lines_with(printed: str, words: str) -> list[str]:
    """Lines that have these words."""
    return [line for line in printed.splitlines() if words in line]


def test_a_damaged_snapshot_is_built_again_and_nothing_else(shop: Shop) -> None:
    before, printed = shop.build()
    assert not lines_with(printed, "again")
    file = next((shop.workspace.snapshots / before.snapshot / "recall" / "hot").glob("*.npy"))
    flip(file)
    made, printed = shop.build()
    (line,) = lines_with(printed, "is built again")
    assert line.strip() == f"snapshot is built again: {file} does not match its checksum"
    assert made.snapshot != before.snapshot
    assert (made.dataset, made.versions) == (before.dataset, before.versions)
    store = SnapshotStore(shop.workspace.snapshots)
    assert store.open_current(verify=True).manifest.id == made.snapshot
    _, printed = shop.build()
    assert not lines_with(printed, "again")


@pytest.mark.parametrize(
    ("pattern", "step"),
    [
        # Each is followed by a training or an export, which take their time.
        # Not by the link to the current one.
        pytest.param("datasets/2*/events.parquet", "dataset", marks=pytest.mark.faults),
        pytest.param("checkpoints/bst/*/model.json", "checkpoint bst", marks=pytest.mark.faults),
        pytest.param("checkpoints/bst/*/weights.safetensors", "checkpoint bst", marks=pytest.mark.faults),
        ("triton/models/bst/1/model.onnx", "version bst"),
    ],
)
def test_each_step_made_before_is_verified(shop: Shop, pattern: str, step: str) -> None:
    before, _ = shop.build()
    (file,) = shop.workspace.root.glob(pattern)
    flip(file)
    made, printed = shop.build()
    (line,) = [line for line in lines_with(printed, "is built again") if "inputs" not in line]
    assert f"{step} is built again" in line
    assert str(file) in line
    assert SnapshotStore(shop.workspace.snapshots).open_current(verify=True).manifest.id == made.snapshot
    assert made.versions["bst"] != before.versions["bst"]


def test_damaged_old_builds_are_removed_in_a_line_each_and_end_no_run(shop: Shop) -> None:
    made, _ = shop.build()
    snapshots, datasets = shop.workspace.snapshots, shop.workspace.datasets
    for folder, id in ((snapshots, made.snapshot), (datasets, made.dataset)):
        shutil.copytree(folder / id, folder / "19990101T000000Z-old")
        (folder / "19990101T000000Z-old" / "manifest.json").chmod(0o600)
        (folder / "19990101T000000Z-old" / "manifest.json").write_text("{")
    shutil.copytree(snapshots / made.snapshot, snapshots / "19980101T000000Z-older")
    (shop.workspace.checkpoints / "bst" / "a file").write_text("")
    again, printed = shop.build()
    assert again == made
    removed = lines_with(printed, "is removed")
    assert [line.split()[:2] for line in removed] == [
        ["snapshot", "19980101T000000Z-older"],
        ["snapshot", "19990101T000000Z-old"],
        ["dataset", "19990101T000000Z-old"],
    ]
    assert "manifest.json" in removed[1]
    assert SnapshotStore(snapshots).ids() == [made.snapshot]
    assert shop.build()[0] == made


def test_old_builds_that_cannot_be_removed_end_no_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_prune(self: SnapshotStore, keep: int) -> list[str]:
        raise PermissionError(13, "Permission denied", "/old")

    monkeypatch.setattr(SnapshotStore, "prune", no_prune)
    _, printed = shop.build()
    (line,) = lines_with(printed, "old builds are not removed")
    assert "Permission denied" in line


def test_a_model_that_triton_refuses_is_told_before_the_router_is_up(shop: Shop) -> None:
    made, _ = shop.build()
    flip(shop.workspace.triton / "models/bst" / str(made.versions["bst"]) / "model.onnx")
    with (
        pytest.raises(TritonStartError, match="model bst has no usable version"),
        serving(shop.workspace, shop.settings, print),
    ):
        raise AssertionError("it serves")
    router_log = shop.workspace.logs / "router.log"
    assert "replicas are up" not in (router_log.read_text() if router_log.exists() else "")
