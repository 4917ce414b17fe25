"""The verdict of a sandbox test: what was tested, each check with its reason, and its file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import msgspec

Outcome = Literal["pass", "fail", "not measured"]


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was tested: a version of a model in the place of the present one, or a patch of a scene.

    checkpoint  that the version was made from
    patch       JSON Merge Patch (RFC 7396) of the scene
    """

    kind: Literal["model", "scene"]
    model: str = ""
    version: int = 0
    checkpoint: str = ""
    scene: str = ""
    patch: dict[str, Any] = {}

    @property
    def file_name(self) -> str:
        """Name of the file of its verdict: the same for the same subject."""
        if self.kind == "model":
            return f"model-{self.model}-{self.version}.json"
        canonical = json.dumps(self.patch, sort_keys=True, separators=(",", ":")).encode()
        return f"scene-{self.scene}-{hashlib.blake2b(canonical, digest_size=8).hexdigest()}.json"

    @property
    def text(self) -> str:
        """The subject for a person."""
        if self.kind == "model":
            return f"version {self.version} of {self.model}"
        return f"this patch of scene {self.scene}"


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One check: its outcome, and the figures behind it for a person."""

    name: str
    outcome: Outcome
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sandbox test found.

    passed    no check failed
    made_at   ISO 8601, UTC
    snapshot  id of the snapshot it was tested on
    figures   everything measured, as JSON values
    """

    schema_version: int = 1
    subject: Subject
    passed: bool
    checks: list[Check]
    made_at: str
    snapshot: str
    figures: dict[str, Any] = {}

    @property
    def failures(self) -> list[str]:
        """Name and reason of each failed check."""
        return [f"{check.name}: {check.reason}" for check in self.checks if check.outcome == "fail"]


class VerdictError(ValueError):
    """A file is no verdict, or cannot be read; the message names it."""


def read_verdict(path: Path) -> Verdict | None:
    """The verdict in a file; None where there is no file. Raises `VerdictError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Verdict)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VerdictError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VerdictError(f"{path} is no verdict: {error}") from error


def encoded(verdict: Verdict) -> bytes:
    """The verdict's file."""
    return msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n"
