"""The protective devices of a story: their TOML records.

    [[protective_device]]
    device = "switch.s_l13"                 # a switch of the overlay, in place of what that says of its relay
    type = "recloser"
    sequence = ["fast", "fast", "slow", "slow"]
    dead_s = [0.5, 5.0, 10.0]
    reclaim_s = 60.0
    manual_block_s = 5.0
    interrupting_s = 0.04
    single_pole = false                     # optional
    single_pole_lockout = false             # optional
    [protective_device.phase]               # this or ground, or both
    pickup_a = 400.0
    fast = { curve = "definite", delay_s = 0.05 }
    slow = { curve = "ieee_very_inverse", dial = 2.0 }
    [protective_device.ground]
    pickup_a = 200.0
    fast = { curve = "definite", delay_s = 0.05 }
    slow = { curve = "definite", delay_s = 1.0 }
    [protective_device.cold_load]           # optional
    after_outage_s = 60.0
    pickup_frac = 2.0
    for_s = 10.0

    [[protective_device]]
    device = "switch.s_l24"
    type = "sectionaliser"
    count_a = 300.0
    counts = 3
    opens_after_s = 0.2
    forgets_after_s = 120.0

    [[protective_device]]
    device = "line.l11"                     # a switch, or a line of the deck: at its first terminal
    type = "fuse"
    melt = [[130.0, 300.0], [160.0, 10.0], [920.0, 0.1]]      # A, s
    clear = [[155.0, 300.0], [240.0, 10.0], [1100.0, 0.13]]
    # or: link = { melt_300s_a, ratio_10s, ratio_100ms, clear_over_melt, arcing_s }
    cooling_s = 60.0

Curves: `definite` (delay_s), `instantaneous`, `table` (points: multiple of pickup, s), or a name of `curves.CONSTANTS`
(dial; optional minimum_s, reset_s, resets_at_once). Any of them may
have high_set = { from_multiple, delay_s } beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.plant.curves import (
    CONSTANTS,
    Curve,
    DefiniteTime,
    FuseLink,
    HighSet,
    Table,
    TabulatedCurve,
    inverse,
    link_from_ratios,
    table_problem,
)
from hil.plant.fuse import FuseSettings
from hil.plant.protection import DevicePlan
from hil.plant.recloser import ColdLoadRestraint, Overcurrent, RecloserSettings
from hil.plant.records import Records
from hil.plant.sectionaliser import SectionaliserSettings

_HEAD = ("device", "type")
_RECLOSER = (
    *("sequence", "dead_s", "reclaim_s", "manual_block_s", "interrupting_s", "phase", "ground"),
    *("single_pole", "single_pole_lockout", "cold_load"),
)
_LINK = ("melt_300s_a", "ratio_10s", "ratio_100ms", "clear_over_melt", "arcing_s")
_ANY_TABLE = Table(points=((1.0, 1.0), (2.0, 0.5)))
_OWN_CURVES = {"definite": ("delay_s",), "instantaneous": (), "table": ("points",)}
_STANDARD = ("dial", "minimum_s", "reset_s", "resets_at_once")


def _points(records: Records, said: str, entry: Mapping[str, Any], key: str) -> Table:
    try:
        points = tuple((float(x), float(t)) for x, t in entry.get(key, ()))
        wrong = table_problem(points)
    except (TypeError, ValueError):
        points, wrong = (), "needs pairs of numbers"
    if wrong:
        records.wrong(said, key, entry.get(key, ""), wrong)
        return _ANY_TABLE
    return Table(points=points)


def _curve(records: Records, said: str, entry: Mapping[str, Any]) -> Curve:
    curve = _plain_curve(records, said, entry)
    if "high_set" not in entry:
        return curve
    table, said = records.table(said, entry, "high_set"), f"{said} high_set"
    records.unknown(said, table, known=("from_multiple", "delay_s"))
    return HighSet(
        curve=curve,
        from_multiple=records.number(said, table, "from_multiple", above=1.0),
        delay_s=records.number(said, table, "delay_s", least=0.0),
    )


def _plain_curve(records: Records, said: str, entry: Mapping[str, Any]) -> Curve:
    name = records.word(said, entry, "curve", of=(*_OWN_CURVES, *CONSTANTS))
    records.unknown(said, entry, known=("curve", "high_set", *_OWN_CURVES.get(name, _STANDARD)))
    if name == "definite":
        return DefiniteTime(delay_s=records.number(said, entry, "delay_s", least=0.0))
    if name == "instantaneous":
        return DefiniteTime(delay_s=0.0)
    if name == "table":
        return TabulatedCurve(table=_points(records, said, entry, "points"))
    return inverse(
        name,
        dial=records.number(said, entry, "dial", above=0.0),
        minimum_s=records.maybe(said, entry, "minimum_s", least=0.0) or 0.0,
        reset_s=records.maybe(said, entry, "reset_s", least=1e-3),
        resets_at_once=records.flag(said, entry, "resets_at_once"),
    )


def _overcurrent(records: Records, said: str, entry: Mapping[str, Any], key: str) -> Overcurrent | None:
    if key not in entry:
        return None
    table = records.table(said, entry, key)
    said = f"{said} {key}"
    records.unknown(said, table, known=("pickup_a", "fast", "slow"))
    return Overcurrent(
        pickup_a=records.number(said, table, "pickup_a", above=0.0),
        fast=_curve(records, f"{said} fast", records.table(said, table, "fast")),
        slow=_curve(records, f"{said} slow", records.table(said, table, "slow")),
    )


def _recloser(records: Records, said: str, entry: Mapping[str, Any]) -> RecloserSettings:
    records.unknown(said, entry, known=(*_HEAD, *_RECLOSER))
    sequence, dead_s = entry.get("sequence"), entry.get("dead_s")
    if not isinstance(sequence, list) or not sequence or not all(word in ("fast", "slow") for word in sequence):
        records.wrong(said, "sequence", sequence or "", 'needs one "fast" or "slow" for each trip')
        sequence = ["slow"]
    times = isinstance(dead_s, list) and all(isinstance(s, (int, float)) and 0.0 < s < 1e6 for s in dead_s)
    if not times or len(dead_s or ()) != len(sequence) - 1:
        message = f"needs {len(sequence) - 1} dead times above 0, one between each two trips"
        records.wrong(said, "dead_s", "" if dead_s is None else dead_s, message)
        dead_s = [1.0] * (len(sequence) - 1)
    phase, ground = (_overcurrent(records, said, entry, key) for key in ("phase", "ground"))
    single = records.flag(said, entry, "single_pole")
    if phase is None and ground is None:
        records.wrong(said, "phase", "", "trips for nothing: needs phase or ground")
    if single and (phase is None or ground is not None):
        records.wrong(said, "single_pole", True, "goes with phase alone: a ground current is of no one pole")
    restraint = None
    if "cold_load" in entry:
        cold, where = records.table(said, entry, "cold_load"), f"{said} cold_load"
        records.unknown(where, cold, known=("after_outage_s", "pickup_frac", "for_s"))
        restraint = ColdLoadRestraint(
            after_outage_s=records.number(where, cold, "after_outage_s", least=0.0),
            pickup_frac=records.number(where, cold, "pickup_frac", above=1.0),
            for_s=records.number(where, cold, "for_s", above=0.0),
        )
    return RecloserSettings(
        sequence=tuple(sequence),
        dead_s=tuple(float(s) for s in dead_s or ()),
        phase=phase,
        ground=ground,
        reclaim_s=records.number(said, entry, "reclaim_s", above=0.0),
        manual_block_s=records.number(said, entry, "manual_block_s", least=0.0),
        interrupting_s=records.number(said, entry, "interrupting_s", least=0.0),
        single_pole=single,
        single_pole_lockout=records.flag(said, entry, "single_pole_lockout"),
        restraint=restraint,
    )


def _sectionaliser(records: Records, said: str, entry: Mapping[str, Any]) -> SectionaliserSettings:
    records.unknown(said, entry, known=(*_HEAD, "count_a", "counts", "opens_after_s", "forgets_after_s"))
    counts = entry.get("counts")
    if not isinstance(counts, int) or isinstance(counts, bool) or counts < 1:
        records.wrong(said, "counts", "" if counts is None else counts, "needs a whole number from 1 on")
        counts = 1
    return SectionaliserSettings(
        count_a=records.number(said, entry, "count_a", above=0.0),
        counts=counts,
        opens_after_s=records.number(said, entry, "opens_after_s", least=0.0),
        forgets_after_s=records.number(said, entry, "forgets_after_s", above=0.0),
    )


def _fuse(records: Records, said: str, entry: Mapping[str, Any]) -> FuseSettings:
    records.unknown(said, entry, known=(*_HEAD, "melt", "clear", "link", "cooling_s"))
    if ("link" in entry) == ("melt" in entry or "clear" in entry):
        records.wrong(said, "link", entry.get("link", ""), "needs either link, or melt and clear")
    if "link" in entry:
        link, where = records.table(said, entry, "link"), f"{said} link"
        records.unknown(where, link, known=_LINK)
        numbers = {key: records.number(where, link, key, above=0.0) for key in _LINK}
        rising = 1.0 < numbers["ratio_10s"] < numbers["ratio_100ms"] and numbers["clear_over_melt"] >= 1.0
        if not rising:
            records.wrong(
                where,
                "ratio_10s",
                link.get("ratio_10s", ""),
                "needs 1 < ratio_10s < ratio_100ms, clear_over_melt from 1 on",
            )
        chosen = link_from_ratios(**numbers) if rising else FuseLink(melt=_ANY_TABLE, clear=_ANY_TABLE)
    else:
        melt, clear = (_points(records, said, entry, key) for key in ("melt", "clear"))
        if any(clear.time_s(i_a) < melt_s for i_a, melt_s in melt.points):
            records.wrong(said, "clear", entry.get("clear", ""), "is faster than melt somewhere")
        chosen = FuseLink(melt=melt, clear=clear)
    return FuseSettings(link=chosen, cooling_s=records.number(said, entry, "cooling_s", above=0.0))


def read_devices(entries: Sequence[Mapping[str, Any]]) -> DevicePlan:
    """The `[[protective_device]]` records of a story. Raises InputError with every problem of all of them."""
    records = Records()
    reclosers, sectionalisers, fuses = {}, {}, {}
    seen: set[str] = set()
    for k, entry in enumerate(entries, start=1):
        device = str(entry.get("device", "")).lower()
        said = f"protective device {device or k}"
        if not device:
            records.wrong(said, "device", "", "needs a switch or line")
        if device in seen:
            records.wrong(said, "device", device, "is there twice")
        seen.add(device)
        match records.word(said, entry, "type", of=("recloser", "sectionaliser", "fuse")):
            case "recloser":
                reclosers[device] = _recloser(records, said, entry)
            case "sectionaliser":
                sectionalisers[device] = _sectionaliser(records, said, entry)
            case _:
                fuses[device] = _fuse(records, said, entry)
    records.refuse()
    return DevicePlan(reclosers=reclosers, sectionalisers=sectionalisers, fuses=fuses)
