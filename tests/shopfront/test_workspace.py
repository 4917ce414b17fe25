import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.contracts import contracts
from shopfront.command_end import Refused
from shopfront.serve import running_triton
from shopfront.serving_commands import app
from shopfront.workspace import DEFAULT_FILE, Workspace, WorkspaceBusy
from testing.file_modes import readable_by_others
from testing.triton_models import add_tiny_version
from triton_repo.repository import ModelRepository
from triton_repo.settings import ModelSettings

HOLD = (
    "import sys; from pathlib import Path; from shopfront.workspace import Workspace\n"
    "with Workspace(Path(sys.argv[1])).held('serving'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """The umask of most machines, by which files can be read by everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_only_the_owner_reads_what_an_earlier_release_left_readable(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "shop")
    for folder in (workspace.datasets / "d1", workspace.logs, workspace.triton / "models", workspace.state):
        folder.mkdir(parents=True)
        (folder / "file").write_text("")
    assert len(readable_by_others(workspace.root)) == 11
    with workspace.held("building"):
        pass
    assert readable_by_others(workspace.root) == [
        Path("triton"),
        Path("triton/models"),
        Path("triton/models/file"),
    ]
    # Others find what they may read, though they cannot look around.
    assert workspace.root.stat().st_mode & 0o777 == 0o711


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_triton_of_another_user_reads_the_models(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        workspace = Workspace(tmp_path / "shop")
        workspace.make()
        repository = ModelRepository(workspace.triton, contracts())
        repository.configure({"bst": ModelSettings()})
        add_tiny_version(repository, "bst", seed=1)
    finally:
        os.umask(before)
    found = readable_by_others(workspace.root)
    assert {Path("triton"), Path("triton/models")} <= set(found)
    assert {path.parts[0] for path in found} == {"triton"}
    models = [path for path in found if path.parts[1:2] == ("models",)]
    assert {"/".join(path.parts[2:]) for path in models} == {
        "",
        "bst",
        "bst/1",
        "bst/1/manifest.json",
        "bst/1/model.onnx",
        "bst/config.pbtxt",
    }


def test_a_second_holder_is_told_who_holds_it_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "shop")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(workspace.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert workspace.is_held("serving")
        with pytest.raises(WorkspaceBusy, match=str(holder.pid)), workspace.held("serving"):
            pass
        with workspace.held("building"):
            assert workspace.is_held("building")
    finally:
        holder.kill()
        holder.communicate()
    assert not workspace.is_held("serving")
    with workspace.held("serving"):
        pass


def test_the_triton_of_a_killed_server_is_forgotten_by_the_next(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "shop")
    workspace.root.mkdir()
    workspace.serving_record.write_text('{"address": "127.0.0.1:9000", "triton": "127.0.0.1:8001"}')
    with workspace.held("serving"):
        assert running_triton(workspace) is None
        workspace.serving_record.write_text('{"address": "127.0.0.1:9000", "triton": "127.0.0.1:8002"}')
        with workspace.held("building"):
            assert running_triton(workspace) == "127.0.0.1:8002"
        with pytest.raises(WorkspaceBusy), workspace.held("serving"):
            pass
        assert running_triton(workspace) == "127.0.0.1:8002"


def test_workspaces_are_named_after_their_data(tmp_path: Path) -> None:
    assert Workspace.for_data(None).root.name == "sample"
    assert Workspace.for_data(tmp_path / "my_shop").root.name == "my_shop"


def test_serving_a_folder_that_was_never_built_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    place = ["--workspace", str(tmp_path / "typo"), "--config", str(DEFAULT_FILE)]
    result = CliRunner().invoke(app, ["serve", *place])
    assert isinstance(result.exception, Refused)
    assert f"{tmp_path / 'typo'} has no published snapshot: run shopfront build" in str(result.exception)
    assert not (tmp_path / "typo").exists()
