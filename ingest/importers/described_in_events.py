"""What the columns of an events file say of items, where no file describes these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.findings import Findings
from ingest.mapping import MAPPING_NAME, Mapping

_NAMES = {
    "title": ("title",),
    "category": ("category", "category_id"),
    "standard_category": ("standard_category", "std_category"),
    "brand": ("brand",),
}
"""Our name of what describes an item wherever it stands → names in files; shop, region or price of an event
may be those of the visit or of the sale."""


def with_items_of_events(mapping: Mapping, columns: Sequence[str], path: Path, findings: Findings) -> Mapping:
    """The mapping with `items.from_events` for columns of the events that can only describe items.

    What the mapping says itself stays. Of a shop with an items file nothing should be taken so.

    Args:
        mapping: of the shop.
        columns: of the events file, by the file's names.
        path: the events file.
        findings: gains an alarm that names what was taken.
    """
    given, events = mapping.items.from_events, mapping.events
    used = {*given.values(), *mapping.users.from_events.values(), *events.columns.values()}
    if events.event_by_number is not None:
        used.add(events.event_by_number.column)
    by_name = {name.lower(): name for name in reversed(columns) if name not in used}
    found = {
        ours: next(by_name[name] for name in names if name in by_name)
        for ours, names in _NAMES.items()
        if ours not in given and not by_name.keys().isdisjoint(names)
    }
    if not found:
        return mapping
    findings.alarm(
        f"{path.name}: no file describes the items, so that they have the commonest value of "
        f"{', '.join(found.values())} in their events as {', '.join(found)}; another choice is made under "
        f"items.from_events in {MAPPING_NAME}"
    )
    items = mapping.items.model_copy(update={"from_events": {**given, **found}})
    return mapping.model_copy(update={"items": items})
