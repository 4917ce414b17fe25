"""Rule: lists of shoppers and items that samples are taken of, or are not."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from evaluation.errors import EvaluationError
from evaluation.sample_rules.rule import GeneralRuleSettings, SampleLog, SampleRule, Weighed

_MOST_BYTES = 64 * 1024 * 1024


class ListedSettings(GeneralRuleSettings):
    """Text files with one id a line; empty lines do not count."""

    allow_users: Path | None = Field(default=None, description="Only these shoppers; null: all.")
    deny_users: Path | None = Field(default=None, description="Not these shoppers, such as staff.")
    allow_items: Path | None = Field(default=None, description="Only these items; null: all.")
    deny_items: Path | None = Field(default=None, description="Not these items, such as carrier bags.")


def weigh(log: SampleLog, settings: ListedSettings) -> Weighed:
    """0 of what is denied or not allowed, 1 of the rest; EvaluationError where no file can be read."""
    import polars as pl

    if not (settings.allow_users or settings.deny_users or settings.allow_items or settings.deny_items):
        return Weighed.silent(log, "no list is named")
    user, item = log.window["user"], log.window["item"]
    kept = pl.repeat(True, log.window.height, dtype=pl.Boolean, eager=True)
    for path, allowed in ((settings.allow_users, True), (settings.deny_users, False)):
        if path is not None:
            listed = log.users.filter(pl.col("user_id").is_in(_ids(path)))["user"]
            kept &= user.is_in(listed.implode()) == allowed
    for path, allowed in ((settings.allow_items, True), (settings.deny_items, False)):
        if path is not None:
            codes = log.catalogue.dense(_ids(path))
            kept &= item.is_in(pl.Series(codes[codes > 0]).cast(item.dtype).implode()) == allowed
    return Weighed(kept.cast(pl.Float64))


def _ids(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise EvaluationError(f"{path}: a list of ids may have {_MOST_BYTES:,} bytes at most")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: the list of ids cannot be read ({error})") from error
    return [line.strip() for line in lines if line.strip()]


RULE = SampleRule(ListedSettings, weigh)
