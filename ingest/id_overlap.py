"""Whether the ids of the events and of another file are the same ids."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ingest.findings import Findings

_HINTS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "upper and lower case": lambda ids: ids.str.to_lowercase(),
    "how Unicode writes letters with accents (normalise both to NFC)": lambda ids: ids.str.normalize("NFC"),
    "leading zeros": lambda ids: ids.str.strip_chars_start("0"),
    "signs and blanks": lambda ids: ids.str.replace_all(r"[^\p{L}\p{N}]", ""),
}
_FEW = 0.5


def alarm_on_small_overlap(
    events: pl.Series, others: pl.Series, kind: str, source: str, findings: Findings, enough: float = _FEW
) -> None:
    """Raise an alarm where few of the ids in events are in the file that describes them.

    Args:
        events: ids in the events, any type.
        others: ids of the file, any type.
        kind: "items" or "users".
        source: name of the file.
        findings: gains the alarm.
        enough: share of the events' ids from which on there is no alarm.
    """
    seen = events.cast(pl.String).unique()
    known = others.cast(pl.String).unique()
    met = int(seen.is_in(known.implode()).sum())
    if not len(seen) or not len(known) or met / len(seen) >= max(enough, 1e-9):
        return
    how_many = "none" if not met else f"only {met:,}"
    sentence = f"{how_many} of the {len(seen):,} {kind} in events {'is' if met < 2 else 'are'} in {source}"
    for difference, form in _HINTS.items():
        if int(form(seen).is_in(form(known).implode()).sum()) > max(2 * met, len(seen) // 2):
            findings.alarm(f"{sentence}; they differ in {difference}: write them alike in both files")
            return
    findings.alarm(f"{sentence}; are these the same ids?")
