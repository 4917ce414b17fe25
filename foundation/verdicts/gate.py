"""Refuses what has no verdict that passed."""

from __future__ import annotations

from pathlib import Path

from foundation.verdicts.verdict import Subject, VerdictError, read_verdict


class VerdictGate:
    """The verdicts of one folder, read again whenever it is asked."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where `shopfront sandbox` writes them; it need not be there yet."""
        self._folder = folder

    def refusal(self, subject: Subject) -> str:
        """Why the subject may not begin; "" where its verdict passed. Blocks for the disk."""
        path = self._folder / subject.file_name
        try:
            verdict = read_verdict(path)
        except VerdictError as error:
            return str(error)
        if verdict is None:
            return f"{subject.text} was not tested: {path} is not there; run shopfront sandbox"
        if verdict.subject != subject:
            return f"{path} is the verdict of another subject; run shopfront sandbox again"
        if not verdict.passed:
            return f"{subject.text} failed the sandbox test: {'; '.join(verdict.failures)}"
        return ""
