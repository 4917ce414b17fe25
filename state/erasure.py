"""What stores answer about the deletion of a shopper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ErasedState:
    """What a store held of a shopper and holds no more.

    Attributes:
        records: rows by name of the record, of those that were there; 1 for a record that could not be read.
        log_entries: events of the shopper in the event log, feedback and exposures among them.
        event_ids: ids remembered to recognise events sent again.
    """

    records: Mapping[str, int] = field(default_factory=dict)
    log_entries: int = 0
    event_ids: int = 0

    @property
    def found(self) -> bool:
        """Whether there was anything."""
        return bool(self.records or self.log_entries or self.event_ids)


@dataclass(frozen=True, slots=True)
class Compaction:
    """What became of the bytes of deleted entries in a store's files.

    Attributes:
        done: one line for each thing that was done.
        pending: one line for each thing that could not be, with what to do; empty: nothing is left in files.
    """

    done: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
