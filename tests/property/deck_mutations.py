"""Ways to spoil an OpenDSS deck. Chance comes from the generator that is passed: a seed repeats a mutation."""

import re

from tests.property.mutations import FACTORS, Rng, pick


def spoiled_deck(text: str, rng: Rng, *, name: str) -> str:
    """A deck with one to three things changed in it. `name` is the file it will stand in."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        pick(rng, _DECK_WAYS)(lines, rng)
    if rng.random() < 0.25:
        command = pick(rng, _COMMANDS).replace("SELF", name)
        lines.insert(int(rng.integers(len(lines) + 1)), command)
    return "\n".join(lines) + "\n"


_NUMBER = re.compile(r"(?<![\w.%])-?\d+\.?\d*(?:[eE]-?\d+)?")
_PROPERTY = re.compile(r"(%?\w+)\s*=\s*([^\s=!]+)")
_DECK_NUMBERS = ("0", "-1", "1e30", "nan", "inf", "1e-30", "", "x", "999999999999", "(1 0 /)", "[1 2", "@none")
_DECK_BUSES = (
    "nowhere",
    "n3.1.2",
    "n4.4",
    "n2.0",
    "n3.1.1.1",
    "650.2.3",
    "671.1.2.3.4",
    "",
    "n4.2.1.3",
    "n2.-1",
    "n2.1000",
)
_COMMANDS = (
    "Redirect missing.dss",
    "Redirect SELF",
    "Compile SELF",
    "Clear",
    "Solve",
    "New Circuit.second",
    "Disable vsource.source",
    "Open Line.line1 1",
    "Open Line.650632 2 1",
    "Disable Transformer.t1",
    "New Line.ring bus1=n3 bus2=n3 phases=3",
    "New Load.bare",
    "New Transformer.many windings=200",
    "New Line.wide phases=60 bus1=n3 bus2=n9",
    "New Capacitor.c bus1=n4 kv=4.16 kvar=1e12",
    "New Capacitor.s bus1=n4 bus2=n7 kv=4.16 kvar=100 states=0",
    "Set Tolerance=0",
    "Set MaxIterations=1",
    "Set VoltageBases=[]",
    "Set DefaultBaseFrequency=0",
    "Set Frequency=nan",
    "Set LoadMult=30",
    "Set LoadMult=-3",
    "Set Mode=Daily Number=500",
    "BatchEdit Load..* kW=0",
    "BatchEdit Load..* kV=0",
    "BatchEdit Line..* length=0",
    "Edit Transformer.t1 taps=[0 1]",
    "New Generator.g bus1=n4 kv=4.16 kw=3000 model=3",
    "New PVSystem.p bus1=n4 kv=4.16 pmpp=1",
    "New Storage.b bus1=n4 kv=4.16 kwrated=100",
    "New Reactor.r bus1=n4 kv=4.16 kvar=0",
    "New RegControl.rc transformer=none",
    "New Fault.f bus1=n4 r=0",
    "New Isource.i bus1=n4 amps=100",
    "New Line.code linecode=none bus1=n3 bus2=n8",
    "/* open",
    "More unknown=1",
    "~ ~ ~",
    "New Vsource.two bus1=n4 basekv=4.16",
    "New Load.one bus1=n4.1 phases=1 kv=2.4 kw=10 zipv=[1 1]",
    "New LoadShape.s npts=1000000 csvfile=missing.csv",
    "Var @a=@a",
    "New XYCurve.c npts=-1",
    "New Load.d bus1=n4 like=nobody",
    "MakeBusList",
    "CalcVoltageBases",
    "Set EarthModel=none",
    "Buscoords missing.csv",
    "New Line.sw bus1=n3 bus2=n10 switch=y",
)


def _line_of(lines: list[str], rng: Rng, *, wanted: re.Pattern[str]) -> int | None:
    found = [i for i, line in enumerate(lines) if wanted.search(line.split("!")[0])]
    return int(pick(rng, found)) if found else None


def _drop_line(lines: list[str], rng: Rng) -> None:
    if lines:
        del lines[int(rng.integers(len(lines)))]


def _repeat_line(lines: list[str], rng: Rng) -> None:
    if lines:
        lines.insert(int(rng.integers(len(lines) + 1)), pick(rng, lines))


def _swap_lines(lines: list[str], rng: Rng) -> None:
    if len(lines) > 1:
        one, other = rng.choice(len(lines), 2, replace=False)
        lines[one], lines[other] = lines[other], lines[one]


def _change_number(lines: list[str], rng: Rng) -> None:
    if (at := _line_of(lines, rng, wanted=_NUMBER)) is not None:
        match = pick(rng, list(_NUMBER.finditer(lines[at])))
        number = float(match.group(0))
        new = pick(rng, _DECK_NUMBERS) if rng.random() < 0.5 else f"{number * pick(rng, FACTORS[:9]):g}"
        lines[at] = lines[at][: match.start()] + new + lines[at][match.end() :]


def _change_property(lines: list[str], rng: Rng) -> None:
    if (at := _line_of(lines, rng, wanted=_PROPERTY)) is not None:
        match = pick(rng, list(_PROPERTY.finditer(lines[at])))
        key, value = match.group(1), match.group(2)
        key = pick(rng, (key, key, "nonsense", key[:-1], "phases", "like", "enabled"))
        value = pick(rng, (value, *_DECK_NUMBERS, "no"))
        lines[at] = lines[at][: match.start()] + f"{key}={value}" + lines[at][match.end() :]


def _change_bus(lines: list[str], rng: Rng) -> None:
    wanted = re.compile(r"(?i)\bbus(?:1|2)?\s*=\s*(\S+)")
    if (at := _line_of(lines, rng, wanted=wanted)) is not None:
        match = pick(rng, list(wanted.finditer(lines[at])))
        lines[at] = lines[at][: match.start(1)] + pick(rng, _DECK_BUSES) + lines[at][match.end(1) :]


def _change_phases(lines: list[str], rng: Rng) -> None:
    wanted = re.compile(r"(?i)\bphases\s*=\s*(\S+)")
    if (at := _line_of(lines, rng, wanted=wanted)) is not None:
        match = pick(rng, list(wanted.finditer(lines[at])))
        lines[at] = lines[at][: match.start(1)] + pick(rng, ("0", "1", "2", "4", "-1", "x")) + lines[at][match.end(1) :]


def _cut_text(lines: list[str], rng: Rng) -> None:
    if lines:
        at = int(rng.integers(len(lines)))
        cut = int(rng.integers(len(lines[at]) + 1))
        if rng.random() < 0.3:
            del lines[at + 1 :]
        lines[at] = (
            lines[at][:cut] + pick(rng, ("", "\x00", "\u2603", "((((", '"', "'", "=", "{")) + lines[at][cut + 1 :]
        )


_DECK_WAYS = (
    _drop_line,
    _drop_line,
    _repeat_line,
    _swap_lines,
    _change_number,
    _change_number,
    _change_number,
    _change_property,
    _change_property,
    _change_bus,
    _change_bus,
    _change_phases,
    _cut_text,
)
