"""`mapping.yaml`: how a shop's own files and columns map to events, items and users."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ingest.shop_tables import IngestError
from ingest.timestamps import TimestampUnit

MAPPING_NAME = "mapping.yaml"

DEFAULT_EVENT_NAMES: dict[str, str] = {
    "impression": "impression",
    "exposure": "impression",
    "show": "impression",
    "view": "view",
    "pv": "view",
    "click": "view",
    "page_view": "view",
    "favorite": "favorite",
    "favourite": "favorite",
    "fav": "favorite",
    "wishlist": "favorite",
    "cart": "cart",
    "addtocart": "cart",
    "add_to_cart": "cart",
    "purchase": "purchase",
    "buy": "purchase",
    "transaction": "purchase",
    "order": "purchase",
}

EventName = Literal["impression", "view", "favorite", "cart", "purchase"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventsMapping(_Section):
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
    event_names: dict[str, EventName | Literal["ignore"]] = Field(
        default={}, description="The shop's event name → ours, or 'ignore'; common names are known."
    )
    timestamp_unit: TimestampUnit = Field(
        default="auto", description="Unit of numeric times: s, ms, us, ns; iso for texts; auto finds out."
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


class AttributesMapping(_Section):
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


class Mapping(_Section):
    """The whole of `mapping.yaml`."""

    source: str | None = Field(default=None, description="What the data is, for people.")
    events: EventsMapping = EventsMapping()
    items: AttributesMapping = AttributesMapping()
    users: AttributesMapping = AttributesMapping()


def load_mapping(folder: Path) -> Mapping:
    """Read `mapping.yaml` in `folder`; everything is at its default where there is none.

    Raises:
        IngestError: the file is no YAML or a key is wrong; the message names file and key.
    """
    path = folder / MAPPING_NAME
    if not path.exists():
        return Mapping()
    try:
        return Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise IngestError(f"{path}: is no readable YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise IngestError(f"{path}: {faults}") from error
