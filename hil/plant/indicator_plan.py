"""Fault indicators and last-gasp messages of a story: their TOML tables.

[indicators]
rise_a = 250.0
min_a = 400.0
missing_frac = 0.02           # this and everything below is optional
false_frac = 0.01
torque_angle_deg = 45.0
delay_s = 3.0
reset_after_s = 14400.0
reset_load_a = 5.0
reset_load_for_s = 30.0

[last_gasps]
through_frac = 0.6
after_s = 15.0
delay_min_s = 2.0
delay_max_s = 60.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hil.plant.indicators import IndicatorSettings, LastGaspSettings
from hil.plant.records import Records

_SAID = "indicators"


def read_indicators(entry: Mapping[str, Any]) -> IndicatorSettings:
    """The `[indicators]` table. Raises InputError with every problem of it."""
    records = Records()
    records.unknown(_SAID, entry, known=tuple(IndicatorSettings.__dataclass_fields__))

    def share(key: str) -> float:
        return records.number(_SAID, entry, key, least=0.0, below=1.0 + 1e-12) if key in entry else 0.0

    settings = IndicatorSettings(
        rise_a=records.number(_SAID, entry, "rise_a", least=0.0),
        min_a=records.number(_SAID, entry, "min_a", least=0.0),
        missing_frac=share("missing_frac"),
        false_frac=share("false_frac"),
        torque_angle_deg=records.maybe(_SAID, entry, "torque_angle_deg", least=-90.0),
        delay_s=records.maybe(_SAID, entry, "delay_s", least=0.0) or 0.0,
        reset_after_s=records.maybe(_SAID, entry, "reset_after_s", least=0.0),
        reset_load_a=records.maybe(_SAID, entry, "reset_load_a", least=0.0),
        reset_load_for_s=records.maybe(_SAID, entry, "reset_load_for_s", least=0.0) or 0.0,
    )
    if settings.reset_load_for_s and settings.reset_load_a is None:
        records.wrong(_SAID, "reset_load_for_s", entry["reset_load_for_s"], "goes with reset_load_a")
    records.refuse()
    return settings


def read_last_gasps(entry: Mapping[str, Any]) -> LastGaspSettings:
    """The `[last_gasps]` table. Raises InputError with every problem of it."""
    records = Records()
    said = "last_gasps"
    records.unknown(said, entry, known=tuple(LastGaspSettings.__dataclass_fields__))
    settings = LastGaspSettings(
        through_frac=records.number(said, entry, "through_frac", least=0.0, below=1.0 + 1e-12),
        after_s=records.number(said, entry, "after_s", least=0.0),
        delay_min_s=records.number(said, entry, "delay_min_s", least=0.0),
        delay_max_s=records.number(said, entry, "delay_max_s", least=0.0),
    )
    if settings.delay_max_s < settings.delay_min_s:
        records.wrong(said, "delay_max_s", settings.delay_max_s, "is less than delay_min_s")
    records.refuse()
    return settings
