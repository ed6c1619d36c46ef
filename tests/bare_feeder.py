"""A deck as it is, made a feeder of the bench: its own regulators and capacitors with their own controls."""

from pathlib import Path

from hil.engine import Engine
from hil.feeders import FEEDERS, FeederFiles

_HEAD = """schema_version = 1
name = "{name}"
deck = "{deck}"
[voltage_limits]
v_min_pu = 0.90
v_max_pu = 1.10
v_emergency_min_pu = 0.85
v_emergency_max_pu = 1.15
[interface]
source = "vsource.source"
"""
_TAP_CHANGER = """[[tap_changer]]
id = "{id}"
remote = true
delay_s = {delay_s}
"""
_CAPACITOR = """[[capacitor]]
id = "{id}"
steps = 1
normal_steps = {steps}
remote = true
"""


def bare_feeder(deck: Path, *, coordinates: Path, folder: Path) -> FeederFiles:
    """Write the least overlay that lets the bench's plant run a deck. Capacitors with a CapControl start closed."""
    engine = Engine()
    engine.compile(deck)
    text = _HEAD.format(name=deck.stem, deck=deck.name)
    for control in engine.regulator_controls():
        text += _TAP_CHANGER.format(id=control.transformer, delay_s=control.delay_s)
    banks = [name for name in engine.element_names() if name.startswith("capacitor.")]
    for capacitor in dict.fromkeys(control.capacitor for control in engine.capacitor_controls(banks)):
        text += _CAPACITOR.format(id=capacitor, steps=1)
    overlay = folder / f"{deck.stem}.toml"
    overlay.write_text(text)
    scenario = FEEDERS["123-operated"].scenario
    return FeederFiles(name=deck.stem, deck=deck, overlay=overlay, coordinates=coordinates, scenario=scenario)
