"""What the command loads before it knows what to do: `--help` answers at once."""

import subprocess
import sys

SEEN = "import sys, shopfront.command_line; print(*sorted(sys.modules))"


def test_the_command_line_loads_neither_settings_nor_libraries_of_numbers() -> None:
    ended = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "shopfront.rollout_commands" in loaded
    heavy = {"shopfront.settings", "server.settings", "snapshot.store", "numpy", "polars", "torch", "ray"}
    assert not loaded & heavy
