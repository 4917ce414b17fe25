"""Edits of the scene file as AdminService takes them: a preview with pages, and the change itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from inspection.bounds import MAX_EDITS, MAX_SHOPPERS
from inspection.explain import Explainer
from inspection.scene_edits.edit_text import Edit, EditError, edited
from inspection.scene_edits.history import Change, digest_of
from inspection.scene_edits.scene_file import SceneFile, violations
from protos.shopfront.v1 import admin_pb2
from router.engine.engine import Engine
from router.engine.live import LiveEngine
from router.errors import CallerError, RequestError
from router.scenes.problems import SettingsError
from router.scenes.yaml_tree import YamlError
from router.service.call import Call

MAX_DEPTH = 12
"""Names on the way to a key."""
_MOST_TEXT = 300
_CHANGES = 20


class SceneEdits:
    """Reads, previews and applies. Belongs to one event loop; what takes long runs in threads."""

    def __init__(self, live: LiveEngine, file: SceneFile, explainer: Explainer) -> None:
        """`explainer`: makes the pages of previews."""
        self._live = live
        self._file = file
        self._explainer = explainer

    async def read(self, request: admin_pb2.ReadSceneFileRequest) -> admin_pb2.ReadSceneFileResponse:
        """The file. Raises `CallerError` for an unknown change, and `PreconditionError` as `SceneFile`."""
        content = await asyncio.to_thread(self._file.read)
        changes = await asyncio.to_thread(self._file.history.newest, _CHANGES)
        earlier = ""
        if request.change_id:
            change = await asyncio.to_thread(self._file.history.find, request.change_id)
            if change is None:
                raise CallerError.of("change_id", "is none that is kept")
            earlier = change.before
        decided = self._file.watch.has_decided(content)
        return admin_pb2.ReadSceneFileResponse(
            path=str(self._file.path),
            content=content.decode("utf-8", "replace"),
            digest=digest_of(content),
            pending=not decided,
            refused=(self._file.watch.status.refused or "") if decided else "",
            fixed=self._file.why_fixed(),
            changes=[change_message(each) for each in changes],
            earlier_content=earlier,
        )

    async def preview(
        self, request: admin_pb2.PreviewScenesRequest, call: Call
    ) -> admin_pb2.PreviewScenesResponse:
        """What edits would make. Raises `CallerError`, and `PreconditionError` as `SceneFile`."""
        if len(request.user_ids) > MAX_SHOPPERS:
            raise CallerError.of("user_ids", f"must hold at most {MAX_SHOPPERS} shoppers")
        edits = _edits(request)
        before = await asyncio.to_thread(self._file.read)
        answer = admin_pb2.PreviewScenesResponse(
            content_before=before.decode("utf-8", "replace"), base_digest=digest_of(before)
        )
        try:
            answer.content, engine = await asyncio.to_thread(
                self._made, request.content or answer.content_before, edits
            )
        except SettingsError as error:
            answer.content = request.content or answer.content_before
            answer.problems.extend(error.problems)
            return answer
        except _WrongScenes as error:
            answer.content = error.content
            answer.problems.extend(error.problems)
            return answer
        for user_id in request.user_ids if request.scene else ():
            answer.pages.append(await self._pages(request, user_id, engine, call))
        return answer

    async def apply(self, request: admin_pb2.ApplyScenesRequest) -> admin_pb2.ApplyScenesResponse:
        """Writes the file. Raises `CallerError` with every wrong key, and as `SceneFile.write`."""
        require_texts(request, ("content", "base_digest", "reason", "operator"))
        try:
            await asyncio.to_thread(self._engine, request.content)
        except SettingsError as error:
            raise violations(error) from error
        change = await asyncio.to_thread(
            self._file.write, request.content, request.base_digest, request.operator, request.reason
        )
        return admin_pb2.ApplyScenesResponse(
            change=change_message(change), refused=self._file.take_up(request.content.encode())
        )

    def _made(self, content: str, edits: list[Edit]) -> tuple[str, Engine]:
        """The edited content and its engine. Raises `SettingsError` and `_WrongScenes`."""
        if edits:
            # Before it is walked, it is known to be of a size that can be.
            self._file.refuse_unsafe(content)
            try:
                content = edited(content, edits)
            except (EditError, YamlError) as error:
                raise SettingsError(str(self._file.path), [str(error)]) from error
        try:
            return content, self._engine(content)
        except SettingsError as error:
            raise _WrongScenes(content, error) from error

    def _engine(self, content: str) -> Engine:
        return self._live.draft(self._file.checked(content))

    async def _pages(
        self, request: admin_pb2.PreviewScenesRequest, user_id: str, engine: Engine, call: Call
    ) -> admin_pb2.PagePreview:
        asked = admin_pb2.ExplainPageRequest(
            scene=request.scene,
            user_id=user_id,
            page_size=request.page_size,
            anchor_item_id=request.anchor_item_id,
        )
        preview = admin_pb2.PagePreview(user_id=user_id)
        try:
            if request.scene in self._live.current.scenes:
                preview.before.extend(_shown(await self._explainer.explain(asked, call)))
            preview.after.extend(_shown(await self._explainer.explain(asked, call, engine)))
        except RequestError as error:
            preview.failure = str(error)
        return preview


class _WrongScenes(Exception):
    """A content that would be refused, and what is wrong with it."""

    def __init__(self, content: str, error: SettingsError) -> None:
        super().__init__(str(error))
        self.content = content
        self.problems = error.problems


def _edits(request: admin_pb2.PreviewScenesRequest) -> list[Edit]:
    if len(request.edits) > MAX_EDITS:
        raise CallerError.of("edits", f"must hold at most {MAX_EDITS}")
    if request.edits and not request.scene:
        raise CallerError.of("scene", "is required with edits")
    found = []
    for index, edit in enumerate(request.edits):
        if not 1 <= len(edit.path) <= MAX_DEPTH:
            raise CallerError.of(f"edits[{index}].path", f"must hold 1 to {MAX_DEPTH} names")
        value = json_value(index, edit.path, edit.value)
        found.append(Edit(("scenes", request.scene, *edit.path), value))
    return found


def require_texts(request: Any, fields: Sequence[str]) -> None:
    """Raises `CallerError` where a field is empty, or a reason or operator too long."""
    for field in fields:
        if not getattr(request, field).strip():
            raise CallerError.of(field, "is required")
    for field in ("reason", "operator"):
        if len(getattr(request, field)) > _MOST_TEXT:
            raise CallerError.of(field, f"must have at most {_MOST_TEXT} characters")


def json_value(index: int, path: Sequence[str], text: str) -> Any:
    """The value of the edit at `index`, sent as JSON. Raises `CallerError`."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise CallerError.of(
            f"edits[{index}].value", f'of {".".join(path)} must be JSON, such as 0.5, true or "text"'
        ) from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _shown(explained: admin_pb2.ExplainPageResponse) -> list[admin_pb2.ItemSummary]:
    return [each.item for each in explained.items if each.position]


def change_message(change: Change) -> admin_pb2.SceneChange:
    """A change as a message: who, why, and how many lines."""
    before, after = Counter(change.before.splitlines()), Counter(change.after.splitlines())
    return admin_pb2.SceneChange(
        id=change.id,
        at_ms=change.at_ms,
        operator=change.operator,
        reason=change.reason,
        lines_removed=(before - after).total(),
        lines_added=(after - before).total(),
    )
