"""Pages that follow one another: what the pages before showed, and the cursor of the next one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router.errors import CallerError, FieldViolation
from router.service.validation import CheckedRequest, SceneRequest
from snapshot.catalogue import Catalogue
from state.errors import CursorError
from state.page_cursor import MOST_SHOWN, PageCursor, PageCursorCodec, first_page


def read_cursors(codec: PageCursorCodec, asked: CheckedRequest, now: int) -> list[PageCursor]:
    """The cursor of each scene, at unix second `now`. Raises `CallerError` with every cursor at fault."""
    cursors, faults = [], []
    for scene in asked.scenes:
        cursor = first_page(scene.scene, asked.user_id, asked.anchor_item_id or asked.picture, now)
        if scene.page_cursor:
            try:
                cursor = codec.decode(scene.page_cursor, cursor)
            except CursorError as error:
                faults.append(FieldViolation(scene.cursor_field, f"is no cursor of these pages: {error}"))
        cursors.append(cursor)
    if faults:
        raise CallerError(faults)
    return cursors


def already_shown(cursors: Sequence[PageCursor], catalogue: Catalogue) -> NDArray[np.int32]:
    """Dense items that the pages before showed in any of an answer's scenes, int32[m], distinct.

    They are seen together, so what one scene showed comes back in none.
    """
    return np.unique(np.concatenate([cursor.items(catalogue) for cursor in cursors]))


def next_cursor(
    codec: PageCursorCodec,
    cursor: PageCursor,
    scene: SceneRequest,
    shown: NDArray[np.uint64],
    most: int,
    now: int,
) -> str:
    """The cursor behind a page that showed items with these keys; empty where no page follows.

    most: items that a scene's pages show in all; now: unix second.
    """
    after = cursor.count + shown.size
    if shown.size < scene.page_size or after + scene.page_size > min(most, MOST_SHOWN):
        return ""
    return codec.encode(cursor.followed_by(shown, now))
