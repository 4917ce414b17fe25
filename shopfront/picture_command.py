"""What `shopfront search-image` and the end of `shopfront run` ask a router: what looks like a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
from rich.console import Console

from models.picture_encoder import NAME as ENCODER
from protos.shopfront.v1 import visual_pb2, visual_pb2_grpc
from recall.similar_look import NAME
from server.ingress.client_channel import RouterAddress, open_channel, why_unanswered
from shopfront.answer_table import show
from shopfront.looked_for import NOTHING, LookedFor
from shopfront.workspace import Workspace
from snapshot.dataset import IMAGE_COLUMN, Dataset, DatasetStore
from snapshot.store import SnapshotStore

_EDGES = 4
_LARGEST_FILE = 16 * 2**20
"""Bytes; the router refuses smaller ones already, and says so."""


def box_of(text: str) -> visual_pb2.Box | None:
    """The box of "left,top,right,bottom" in shares of the picture; None for "". Raises ValueError."""
    if not text:
        return None
    try:
        edges = [float(part) for part in text.split(",")]
    except ValueError:
        edges = []
    if len(edges) != _EDGES:
        raise ValueError(f"--box {text!r} is not left,top,right,bottom, such as 0.1,0.2,0.9,1")
    return visual_pb2.Box(left=edges[0], top=edges[1], right=edges[2], bottom=edges[3])


def point_of(text: str) -> visual_pb2.Point | None:
    """The place of "x,y" in shares of the picture; None for "". Raises ValueError."""
    if not text:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--tap {text!r} is not x,y, such as 0.4,0.6") from None
    return visual_pb2.Point(x=x, y=y)


def show_objects(answer: visual_pb2.SearchByImageResponse, console: Console) -> None:
    """Prints the part of a photo that was searched for, and the objects in it; nothing of an item."""
    if answer.HasField("searched"):
        console.print(f"Searched for: the part {_edges(answer.searched)}", highlight=False)
    for number, each in enumerate(answer.objects, start=1):
        console.print(
            f"[dim]object {number}: {_edges(each.box)}, sure by {each.confidence:.2f}[/]", highlight=False
        )


def _edges(box: visual_pb2.Box) -> str:
    """As --box takes it."""
    return ",".join(f"{edge:.3f}" for edge in (box.left, box.top, box.right, box.bottom))


def read_picture(file: Path) -> bytes:
    """A file's bytes. Raises ValueError where it cannot be read, or is far too large to be sent."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{file} has {file.stat().st_size:,} bytes; send at most {_LARGEST_FILE:,}")
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from error


def search_image(
    router: RouterAddress,
    content: bytes,
    item_id: str,
    *,
    box: visual_pb2.Box | None = None,
    tap: visual_pb2.Point | None = None,
    surest_object: bool = False,
    user_id: str = "",
    page_size: int = 10,
    looked_for: LookedFor = NOTHING,
    cursor: str = "",
    with_trace: bool = False,
    timeout_s: float = 10.0,
) -> visual_pb2.SearchByImageResponse:
    """One `SearchByImage` call, by `content` or, where it is empty, by the item.

    Raises grpc.RpcError where it fails, ChannelError where `router` is none.
    """
    request = visual_pb2.SearchByImageRequest(
        box=box,
        tap=tap,
        surest_object=surest_object,
        user_id=user_id,
        context=looked_for.message(),
        page_size=page_size,
        page_cursor=cursor,
        with_trace=with_trace,
    )
    if item_id:
        request.item_id = item_id
    else:
        request.image = content
    with open_channel(router) as channel:
        answer: visual_pb2.SearchByImageResponse = visual_pb2_grpc.VisualServiceStub(channel).SearchByImage(
            request, timeout=timeout_s
        )
    return answer


def detect_objects(
    router: RouterAddress, content: bytes, *, limit: int = 0, timeout_s: float = 10.0
) -> visual_pb2.DetectObjectsResponse:
    """One `DetectObjects` call. Raises as `search_image` does."""
    with open_channel(router) as channel:
        answer: visual_pb2.DetectObjectsResponse = visual_pb2_grpc.VisualServiceStub(channel).DetectObjects(
            visual_pb2.DetectObjectsRequest(image=content, limit=limit), timeout=timeout_s
        )
    return answer


def sample_picture(workspace: Workspace, data: Path | None) -> tuple[str, bytes] | None:
    """Title and picture of the most popular item whose picture can be read; None where there is none."""
    snapshot = SnapshotStore(workspace.snapshots).open_current(verify=False)
    if ENCODER not in snapshot.manifest.models or f"recall.{NAME}" in snapshot.manifest.switched_off:
        return None
    dataset = DatasetStore(workspace.datasets).open(snapshot.manifest.dataset, verify=False)
    for item, content in _pictures(dataset, data):
        named = np.array([item])
        return dataset.catalogue.titles(named)[0] or dataset.catalogue.item_ids(named)[0], content
    return None


def show_photo_search(
    workspace: Workspace,
    router: RouterAddress | None,
    data: Path | None,
    console: Console,
    say: Callable[[str], None],
) -> None:
    """Prints what looks like the picture of a popular item; nothing in a shop without pictures.

    Args:
        workspace: what is served.
        router: where; None where it cannot be asked.
        data: the folder that pictures lie in.
        console: where to print.
        say: called with one line, why there is no answer.
    """
    sample = sample_picture(workspace, data)
    if router is None or sample is None:
        return
    title, content = sample
    try:
        answer = search_image(router, content, "", page_size=5)
    except grpc.RpcError as error:
        say(f"No photo search: {why_unanswered(router, error)}")
        return
    console.print(f"\nSearched for by the picture of {title}:", markup=False, highlight=False)
    show(console, "", answer.page, {})


def _pictures(dataset: Dataset, data: Path | None) -> Iterator[tuple[int, bytes]]:
    """Pictures that can be decoded, those of the most popular items first."""
    import polars as pl

    from vision.decode import PictureRefused, decode
    from vision.item_files import item_pictures
    from vision.settings import PhotoSearchSettings

    limits = PhotoSearchSettings().limits
    items = dataset.items().select("item", IMAGE_COLUMN)
    for item in np.argsort(-dataset.catalogue.popularity[1:], kind="stable").tolist():
        for picture in item_pictures(items.filter(pl.col("item") == item + 1), data, 1, limits):
            try:
                decode(picture.content, limits)
            except PictureRefused:
                continue
            yield picture.item, picture.content
