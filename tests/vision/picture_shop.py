"""A workspace of a shop with pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recall.item_pictures import ItemPictures
from shopfront import picture_step
from shopfront.workspace import Workspace
from snapshot import Dataset
from triton_repo.repository import ModelRepository


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

    @property
    def thumbnails(self) -> Path:
        """Folder of the small ones."""
        return self.workspace.pictures / self.made
