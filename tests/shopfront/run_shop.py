"""A made-up shop with pictures: its files, its settings, and `shopfront run` over them."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from shopfront.workspace import PROJECT
from testing.picture_shop import write_picture_shop

SETTINGS = """
models:
  bst: {training: {max_steps: 30, evaluate_every: 15, validation_points: 200}}
  mind: {training: {max_steps: 30, evaluate_every: 15, validation_points: 200}}
export:
  formats: [onnx, onnx_int8]
  quality_points: 50
  quality_lists: 10
  quality_candidates: 100
  speed_rounds: 3
pictures: {object_scenes: 0}
evaluation: {max_users: 40, ranking_points: 100, page_shoppers: 20, carts: 20, searches: 20,
             newcomer_shoppers: 10, visit_shoppers: 5, visits: 2, anchor_pairs: 100}
router: {ingress: {address: "127.0.0.1:0"}, metrics: {port: 0}}
console: {address: "127.0.0.1:0"}
"""
PICTURED = 60
"""Items whose files name a picture; the last five of these cannot be used."""


@dataclass
class Shop:
    """Folders of one made-up shop."""

    data: Path
    workspace: Path
    config: Path

    def command(self, name: str) -> list[str]:
        return [
            *(sys.executable, "-m", "shopfront", name, "--data", str(self.data)),
            *("--workspace", str(self.workspace), "--config", str(self.config)),
        ]


def write_shop(root: Path) -> Shop:
    """Settings and files of a shop below `root`: items, pictures of some, photos of these, and events."""
    (root / "config").mkdir()
    config = root / "config" / "shopfront.yaml"
    config.write_text(SETTINGS)
    (root / "config" / "scenes.yaml").write_text((PROJECT / "config" / "scenes.yaml").read_text())
    write_picture_shop(root / "data", users=120, items=300, events=8000, seed=3, pictured=PICTURED)
    photos = [f"i{row:04d},images/{row}.jpg" for row in range(PICTURED - 5)] + ["nobody,images/0.jpg"]
    (root / "data" / "photos.csv").write_text("\n".join(["item_id,image", *photos]) + "\n")
    return Shop(root / "data", root / "workspace", config)


def left_behind(workspace: Path) -> list[str]:
    """Commands of living processes that name the workspace or run in it."""
    commands = []
    for process in psutil.process_iter():
        try:
            command, folder = " ".join(process.cmdline()), process.cwd()
        except psutil.Error:
            continue
        if (str(workspace) in command or str(workspace) in folder) and process.pid != os.getpid():
            commands.append(command)
    return commands
