"""`mapping.yaml`: how a shop's own files and columns map to events, items and users."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ingest.numbers import DecimalMark
from ingest.shop_tables import IngestError
from ingest.timestamps import TimestampUnit
from snapshot.event_kinds import EVENT_KINDS

MAPPING_NAME = "mapping.yaml"
MAPPING_NAMES = (MAPPING_NAME, "mapping.yml")

DEFAULT_EVENT_NAMES: dict[str, str] = {
    shops: name for name, kind in EVENT_KINDS.items() for shops in (name, *kind.synonyms)
}
"""Common names in shops' files, lower case → names of kinds."""

if TYPE_CHECKING:
    EventName = str
else:
    EventName = Literal[tuple(EVENT_KINDS)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _File(_Section):
    """How a file is written, where that cannot be found out."""

    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Between the values of a CSV file, one character.",
    )
    encoding: str | None = Field(
        default=None,
        description="Of a CSV file that is not UTF-8, for instance cp1252, gb18030 or shift_jis.",
    )
    sheet: str | None = Field(default=None, description="Of a workbook with several sheets.")
    decimal: DecimalMark | None = Field(
        default=None, description="Mark before decimals, '.' or ',', where the numbers do not show it."
    )
    timestamp_format: str | None = Field(
        default=None,
        description="How times are written, as for strptime ('%d-%m-%Y %H:%M'), or 'day-first' or "
        "'month-first'.",
    )

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        try:
            return encoding if encoding is None else codecs.lookup(encoding).name
        except LookupError as error:
            raise ValueError(f"{encoding!r} is no encoding that Python knows") from error


class NumberedEvents(_Section):
    """Events known by a number, such as stars of a rating."""

    column: str = Field(description="The file's column that holds the number.")
    at_least: dict[EventName, float] = Field(
        min_length=1,
        description="Event → number from which on a row is that event; the highest that is reached counts, "
        "and rows below all are not used.",
    )


class EventsMapping(_File):
    """The events file."""

    file: str | None = Field(
        default=None,
        description="Path relative to the data folder, or absolute; default events.csv/.parquet.",
    )
    columns: dict[str, str] = Field(
        default={}, description="Our name → the file's name; names left out are looked for as they are."
    )
    event: EventName | None = Field(
        default=None, description="What every row is, where the file has no column that says so."
    )
    event_by_number: NumberedEvents | None = Field(
        default=None, description="What a row is by a number in it, where the file has ratings."
    )
    event_names: dict[str, EventName | Literal["ignore"]] = Field(
        default={}, description="The shop's event name → ours, or 'ignore'; common names are known."
    )
    timestamp_unit: TimestampUnit = Field(
        default="auto",
        description="Unit of numeric times: s, ms, us, ns, excel (days); iso for texts; auto finds out.",
    )
    exclude: dict[str, list[str]] = Field(
        default={}, description="The file's column → values whose rows are no shopping (postage, fees)."
    )

    not_before: datetime | None = Field(
        default=None, description="Events earlier than this are wrong and left out; ISO 8601, UTC by default."
    )
    not_after: datetime | None = Field(
        default=None, description="Events later than this are wrong and left out; ISO 8601, UTC by default."
    )

    @field_validator("not_before", "not_after")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

    @field_validator("exclude", mode="before")
    @classmethod
    def _as_texts(cls, excluded: object) -> object:
        if isinstance(excluded, dict):
            return {
                str(column): [str(value) for value in values] if isinstance(values, list) else values
                for column, values in excluded.items()
            }
        return excluded

    @field_validator("event_names", mode="before")
    @classmethod
    def _lower(cls, names: object) -> object:
        if isinstance(names, dict):
            return {str(name).strip().lower(): event for name, event in names.items()}
        return names

    @property
    def all_event_names(self) -> dict[str, str]:
        """Common names and the shop's own, the latter first."""
        return {**DEFAULT_EVENT_NAMES, **self.event_names}


class AttributesMapping(_File):
    """The items file or the users file."""

    file: str | None = Field(
        default=None, description="Path relative to the data folder, or absolute; default items.* or users.*."
    )
    columns: dict[str, str] = Field(
        default={}, description="Our name → the file's name; names left out are looked for as they are."
    )
    from_events: dict[str, str] = Field(
        default={},
        description="Our name → column of the events file whose commonest value per item or user counts, "
        "where no file has it.",
    )


class ItemsMapping(AttributesMapping):
    """The items file."""

    stock_words: dict[str, bool] = Field(
        default={}, description="The shop's word in in_stock → whether it means that the item can be bought."
    )


class Mapping(_Section):
    """The whole of `mapping.yaml`."""

    source: str | None = Field(default=None, description="What the data is, for people.")
    events: EventsMapping = EventsMapping()
    items: ItemsMapping = ItemsMapping()
    users: AttributesMapping = AttributesMapping()


def find_mapping(folder: Path) -> Path | None:
    """The folder's `mapping.yaml` or `mapping.yml`, None where it has neither.

    Raises:
        IngestError: it has both.
    """
    found = [path for name in MAPPING_NAMES if (path := folder / name).is_file()]
    if len(found) > 1:
        raise IngestError(f"{folder}: has {' and '.join(MAPPING_NAMES)}; remove one of them")
    return found[0] if found else None


def load_mapping(folder: Path) -> Mapping:
    """Read the mapping in `folder`; everything is at its default where there is none.

    Raises:
        IngestError: the file is no YAML or a key is wrong; the message names file and key, and no content.
    """
    path = find_mapping(folder)
    if path is None:
        return Mapping()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1}: {error.problem})" if mark else ""  # type: ignore[union-attr]
        raise IngestError(
            f"{path}: is no readable YAML{where}; it must be UTF-8 text of keys and values"
        ) from error
    if content is not None and not isinstance(content, dict):
        raise IngestError(
            f"{path}: must hold keys ({', '.join(Mapping.model_fields)}), not a {type(content).__name__}"
        )
    try:
        return Mapping.model_validate(content or {})
    except ValidationError as error:
        raise IngestError(f"{path}: {'; '.join(_fault(dict(fault)) for fault in error.errors())}") from error


def _fault(fault: dict[str, Any]) -> str:
    place = [str(key) for key in fault["loc"]]
    if fault["type"] != "extra_forbidden":
        return f"{'.'.join(place)}: {fault['msg']}"
    section: Any = Mapping
    for key in place[:-1]:
        section = (
            section.model_fields[key].annotation if key in getattr(section, "model_fields", {}) else None
        )
        section = NumberedEvents if key == "event_by_number" else section
    known = ", ".join(getattr(section, "model_fields", {}))
    return f"{'.'.join(place)}: is no key of this section, which may hold {known}"
