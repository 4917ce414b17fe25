"""Edits of the file of experiments as AdminService takes them: checked, or checked and written."""

from __future__ import annotations

import asyncio
import json

from experiments.load import read_experiments
from experiments.settings import ExperimentSettings
from inspection.bounds import MAX_EDITS
from inspection.scene_edits.edit_text import Edit, EditError, edited
from inspection.scene_edits.history import digest_of
from inspection.scene_edits.scene_edits import (
    MAX_DEPTH,
    change_message,
    json_value,
    require_texts,
)
from inspection.scene_edits.scene_file import SceneFile, violations
from protos.shopfront.v1 import admin_pb2
from router.engine.live import LiveEngine
from router.errors import CallerError, PreconditionError
from router.scenes.problems import SettingsError
from router.scenes.yaml_tree import YamlError

_CHANGES = 20
_SETTING = "router.experiments"


class ExperimentEdits:
    """Reads and changes the file. Belongs to one event loop; what takes long runs in threads."""

    def __init__(self, live: LiveEngine, file: SceneFile | None) -> None:
        """`file`: None where the configuration names none."""
        self._live = live
        self._named = file

    @property
    def _file(self) -> SceneFile:
        """Raises `PreconditionError` where there is none."""
        if self._named is None:
            raise PreconditionError("EXPERIMENTS", _SETTING, f"{_SETTING} names no file of experiments")
        return self._named

    async def read(
        self, request: admin_pb2.ReadExperimentFileRequest
    ) -> admin_pb2.ReadExperimentFileResponse:
        """The file. Raises `CallerError` for an unknown change, and `PreconditionError` as `SceneFile`."""
        file = self._file
        content = await asyncio.to_thread(file.read)
        changes = await asyncio.to_thread(file.history.newest, _CHANGES)
        earlier = ""
        if request.change_id:
            change = await asyncio.to_thread(file.history.find, request.change_id)
            if change is None:
                raise CallerError.of("change_id", "is none that is kept")
            earlier = change.before
        decided = file.watch.has_decided(content)
        return admin_pb2.ReadExperimentFileResponse(
            path=str(file.path),
            content=content.decode("utf-8", "replace"),
            digest=digest_of(content),
            pending=not decided,
            refused=(file.watch.status.refused or "") if decided else "",
            fixed=file.why_fixed(),
            changes=[change_message(each) for each in changes],
            earlier_content=earlier,
            experiments=_experiments(content, file),
        )

    async def change(
        self, request: admin_pb2.ChangeExperimentsRequest
    ) -> admin_pb2.ChangeExperimentsResponse:
        """Writes the file, or only checks what would be written.

        Raises `CallerError` with every wrong key where it is to be written, and as `SceneFile.write`.
        """
        file = self._file
        edits = _edits(request)
        if not request.validate_only:
            require_texts(request, ("base_digest", "reason", "operator"))
        before = await asyncio.to_thread(file.read)
        answer = admin_pb2.ChangeExperimentsResponse(
            content_before=before.decode("utf-8", "replace"), base_digest=digest_of(before)
        )
        # An empty content is a file without experiments, where no edit asks for that of the file.
        answer.content = request.content or (answer.content_before if edits else "")
        try:
            answer.content = await asyncio.to_thread(self._checked, answer.content, edits)
        except SettingsError as error:
            if not request.validate_only:
                raise violations(error) from error
            answer.problems.extend(error.problems)
            return answer
        if not request.validate_only:
            change = await asyncio.to_thread(
                file.write, answer.content, request.base_digest, request.operator, request.reason
            )
            answer.change.CopyFrom(change_message(change))
            answer.refused = file.take_up(answer.content.encode())
        return answer

    def _checked(self, content: str, edits: list[Edit]) -> str:
        """The edited content, once it is known that it can serve. Raises `SettingsError`."""
        file = self._file
        file.refuse_unsafe(content)
        if edits:
            try:
                content = edited(content, edits)
            except (EditError, YamlError) as error:
                raise SettingsError(str(file.path), [str(error)]) from error
        self._live.draft(file.checked(content))
        return content


def _edits(request: admin_pb2.ChangeExperimentsRequest) -> list[Edit]:
    if len(request.edits) > MAX_EDITS:
        raise CallerError.of("edits", f"must hold at most {MAX_EDITS}")
    found = []
    for index, edit in enumerate(request.edits):
        if not 1 <= len(edit.path) <= MAX_DEPTH:
            raise CallerError.of(f"edits[{index}].path", f"must hold 1 to {MAX_DEPTH} names")
        if edit.value:
            found.append(Edit(tuple(edit.path), json_value(index, edit.path, edit.value)))
        else:
            found.append(Edit(tuple(edit.path), removes=True))
    return found


def _experiments(content: bytes, file: SceneFile) -> list[admin_pb2.Experiment]:
    """What the file has; nothing where it is wrong, which the watch reports."""
    try:
        file.refuse_unsafe(content.decode("utf-8", "replace"))
        layers = read_experiments(content, str(file.path)).layers
    except SettingsError:
        return []
    return [
        _experiment(layer, name, experiment)
        for layer, settings in layers.items()
        for name, experiment in settings.experiments.items()
    ]


def _experiment(layer: str, name: str, experiment: ExperimentSettings) -> admin_pb2.Experiment:
    return admin_pb2.Experiment(
        layer=layer,
        name=name,
        scenes=experiment.scenes or (),
        first=experiment.first,
        control=experiment.control_arm,
        paused=experiment.paused,
        arms=[
            admin_pb2.ExperimentSide(
                name=arm, share_bp=settings.share_bp, patch=json.dumps(settings.patch, ensure_ascii=False)
            )
            for arm, settings in experiment.arms.items()
        ],
    )
