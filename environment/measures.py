"""The measures that feeds may give: their unit here, what is possible, and other units they may come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Scale:
    """value here = factor · (value there + offset)."""

    factor: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    unit         in which values are kept
    low, high    what is possible, in this unit; anything else is an error of the feed
    other_units  unit → how a value in it becomes one in `unit`
    """

    unit: str
    low: float
    high: float
    other_units: Mapping[str, Scale] = field(default_factory=dict)

    def converted(self, value: float, unit: str) -> float:
        """The value in `unit`, "" = the measure's own; KeyError where the unit is not one of the measure's.

        Example:
            >>> round(MEASURES["temp"].converted(98.6, "°F"), 1)
            37.0
        """
        if unit in ("", self.unit):
            return value
        scale = self.other_units[unit]
        return scale.factor * (value + scale.offset)


_TEMPERATURES = {"°F": Scale(5 / 9, -32.0), "K": Scale(1.0, -273.15)}
_CONCENTRATIONS = {"ug/m3": Scale(1.0), "mg/m³": Scale(1_000.0), "mg/m3": Scale(1_000.0)}

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "temp": Measure("°C", -90.0, 60.0, _TEMPERATURES),
        "dew_point": Measure("°C", -90.0, 60.0, _TEMPERATURES),
        "pm2_5": Measure("µg/m³", 0.0, 5_000.0, _CONCENTRATIONS),
        "pm10": Measure("µg/m³", 0.0, 10_000.0, _CONCENTRATIONS),
        "pressure": Measure(
            "hPa", 850.0, 1_090.0, {"Pa": Scale(0.01), "kPa": Scale(10.0), "inHg": Scale(33.8638866667)}
        ),
        "humidity": Measure("%", 0.0, 100.0, {"1": Scale(100.0)}),
        "wind": Measure(
            "m/s", 0.0, 120.0, {"km/h": Scale(1 / 3.6), "mph": Scale(0.44704), "kn": Scale(1_852 / 3_600)}
        ),
        "rain": Measure("mm/h", 0.0, 500.0, {"in/h": Scale(25.4)}),
        "uv": Measure("index", 0.0, 25.0),
    }
)
"""By name. A new measure is a line here."""
