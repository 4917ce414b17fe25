"""Settings of feeds and alerts."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from environment.measures import MEASURES
from environment.readings import ALERT_NAME, MOST_ALERTS, MOST_CITY_LETTERS

_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AlertRule(BaseModel):
    """When an alert begins and ends, by one measure of the city."""

    model_config = _STRICT

    measure: str = Field(description="Measure, in its own unit (docs/manual/environment.md).")
    hours: int = Field(
        default=0, ge=0, le=168, description="Hours over which its mean is taken; 0 = the latest reading."
    )
    begins: float = Field(description="Value from which the alert begins.")
    ends: float = Field(
        description="Value below which it ends; not above `begins`, so that it does not flicker. With "
        "`falls`, above which it ends."
    )
    beyond: bool = Field(
        default=False, description="true: it begins beyond `begins`; false: at this value already."
    )
    falls: bool = Field(default=False, description="true: low values are what it is about, such as frost.")
    least_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="Part of the hours, 0 to 1, that must have a reading for their mean to count.",
    )
    expires_hours: float = Field(
        default=6.0, gt=0, le=720, description="Hours without a value after which it ends."
    )

    @field_validator("measure")
    @classmethod
    def _is_known(cls, measure: str) -> str:
        if measure not in MEASURES:
            raise ValueError(f"{measure} is no measure; there are {', '.join(MEASURES)}")
        return measure

    @model_validator(mode="after")
    def _does_not_flicker(self) -> AlertRule:
        if (self.ends < self.begins) if self.falls else (self.ends > self.begins):
            side = "below" if self.falls else "above"
            raise ValueError(f"ends ({self.ends}) must not be {side} begins ({self.begins})")
        return self


HEAT = AlertRule(measure="temp", begins=37.0, ends=35.0)
HAZE = AlertRule(measure="pm2_5", hours=24, begins=250.0, ends=200.0, beyond=True)


class EnvironmentSettings(BaseModel):
    """Section `environment` of the router's configuration."""

    model_config = _STRICT

    file: Path | None = Field(
        default=None, description="File of readings, read again when it changes. null: none."
    )
    url: str | None = Field(
        default=None,
        max_length=2_000,
        description="http or https address of readings; at most one of `file` and `url`. null: none.",
    )
    poll_s: float = Field(
        default=300.0, ge=1, le=86_400, description="Seconds between two looks at the feed."
    )
    timeout_s: float = Field(
        default=10.0, gt=0, le=300, description="Seconds for which the address is waited for."
    )
    most_bytes: int = Field(
        default=4_000_000, ge=1_000, le=64_000_000, description="Bytes of a feed above which it is refused."
    )
    stale_hours: float = Field(
        default=3.0, gt=0, le=720, description="Hours after which a value is not given to requests any more."
    )
    default_city: str = Field(
        default="",
        max_length=MOST_CITY_LETTERS,
        description="City of requests that name none, of shoppers whose profile names none; empty: unknown.",
    )
    alerts: dict[str, AlertRule] = Field(
        default={"heat": HEAT, "haze": HAZE},
        max_length=MOST_ALERTS,
        description="Alerts by name: small letters, digits and _, at most 32.",
    )

    @field_validator("alerts")
    @classmethod
    def _named(cls, alerts: dict[str, AlertRule]) -> dict[str, AlertRule]:
        for name in alerts:
            if not ALERT_NAME.fullmatch(name):
                raise ValueError(
                    f"an alert's name is a small letter, then letters, digits or _, got {name!r}"
                )
        return alerts

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url

    @model_validator(mode="after")
    def _one_feed(self) -> EnvironmentSettings:
        if self.file is not None and self.url is not None:
            raise ValueError("at most one of file and url can be given")
        return self

    @property
    def configured(self) -> bool:
        """Whether there is a feed."""
        return self.file is not None or self.url is not None
