import subprocess
import sys
from pathlib import Path

import pytest

from shopfront.serve import running_triton
from shopfront.workspace import Workspace, WorkspaceBusy

HOLD = (
    "import sys; from pathlib import Path; from shopfront.workspace import Workspace\n"
    "with Workspace(Path(sys.argv[1])).held('serving'):\n"
    "    print('held', flush=True); sys.stdin.read()"
)


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
