"""Ways to spoil a model file or a deck. Chance comes from the generator that is passed: a seed repeats a mutation.

Mild mutations are among them (a number doubled, a switch opened, an element left out), so that not all is refused at
the door and what stands behind it is tried too.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Rng = np.random.Generator
Place = tuple[Any, Any]
"""A dict or list, and a key or index in it."""

_NUMBERS = (0, -1, 1, 4, 7, 0.5, 1e-9, 1e-300, 1e9, 1e30, 1e308, -1e30, float("nan"), float("inf"), 2**63, 10**40)
_FACTORS = (0.0, -1.0, 0.5, 0.9, 1.1, 2.0, 3.0, 10.0, 1e3, 1e-3, 1e6, 1e-6, 1e12, 1e-12, 1e200)
_ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "x",
    "1",
    "nan",
    "bus\u0000",
    "\u202e\u0627\u2603\U0001f600",
    "\ud800",
    "a" * 5000,
    [],
    {},
    [[]],
    [None],
    [1, 2, 3],
    {"id": "x"},
    [[1.0, [2.0]]],
)


def spoiled_model(content: dict[str, Any], rng: Rng) -> bytes:
    """A model file with one to three things changed in it."""
    spoiled = copy.deepcopy(content)
    for _ in range(int(rng.integers(1, 4))):
        _pick(rng, _MODEL_WAYS)(spoiled, rng)
    text = json.dumps(spoiled, ensure_ascii=bool(rng.random() < 0.5)).encode("utf-8", "surrogatepass")
    draw = rng.random()
    if draw < 0.12:
        return spoiled_bytes(text, rng)
    return _key_twice(text, rng) if draw < 0.16 else text


def spoiled_bytes(text: bytes, rng: Rng) -> bytes:
    """Text cut off, with bytes changed, or with bytes put in."""
    at = int(rng.integers(len(text) + 1))
    draw = rng.random()
    if draw < 0.25:
        return text[:at]
    if draw < 0.5:
        bits = bytearray(text)
        for _ in range(int(rng.integers(1, 4))):
            bits[int(rng.integers(len(bits)))] ^= 1 << int(rng.integers(8))
        return bytes(bits)
    if draw < 0.75:
        return text[:at] + rng.bytes(int(rng.integers(1, 9))) + text[at:]
    digit = [m.start() for m in re.finditer(rb"\d", text)]
    place = digit[int(rng.integers(len(digit)))]
    return text[:place] + str(rng.integers(10)).encode() + text[place + 1 :]


def spoiled_deck(text: str, rng: Rng, *, name: str) -> str:
    """A deck with one to three things changed in it. `name` is the file it will stand in."""
    lines = text.splitlines()
    for _ in range(int(rng.integers(1, 4))):
        _pick(rng, _DECK_WAYS)(lines, rng)
    if rng.random() < 0.25:
        command = _pick(rng, _COMMANDS).replace("SELF", name)
        lines.insert(int(rng.integers(len(lines) + 1)), command)
    return "\n".join(lines) + "\n"


def _pick(rng: Rng, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _places(node: Any) -> Iterator[Place]:
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])


def _somewhere(content: Any, rng: Rng, *, wanted: Callable[[Any], bool] = lambda value: True) -> Place | None:
    """A place whose value is wanted: first any element, then anywhere in it, so that long matrices do not take all."""
    parts = [part for part in content.values() if isinstance(part, list) and part]
    if rng.random() < 0.1 or not parts:
        found = [(content, key) for key in content if wanted(content[key])]
    else:
        part = _pick(rng, parts)
        row = int(rng.integers(len(part)))
        element = part[row]
        found = [(part, row)] if wanted(element) else []
        found += [p for p in _places(element) if wanted(p[0][p[1]])] if isinstance(element, dict | list) else []
        by_field = [p for p in found if isinstance(p[0], dict)]
        found = by_field if by_field and rng.random() < 0.6 else found
    return _pick(rng, found) if found else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=_is_number)) is not None:
        owner, key = place
        owner[key] = owner[key] * _pick(rng, _FACTORS) if abs(owner[key]) < 1e100 else 0.0


def _another_number(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=_is_number)) is not None:
        place[0][place[1]] = _pick(rng, _NUMBERS)


def _another_type(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng)) is not None:
        place[0][place[1]] = copy.deepcopy(_pick(rng, _ODD))


def _drop(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng)) is not None:
        del place[0][place[1]]


def _drop_element(content: Any, rng: Rng) -> None:
    parts = [part for part in content.values() if isinstance(part, list) and part]
    if parts:
        part = _pick(rng, parts)
        del part[int(rng.integers(len(part)))]


def _rename(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=lambda value: isinstance(value, dict))) is not None:
        record = place[0][place[1]]
        if record:
            key = _pick(rng, list(record))
            record[_pick(rng, (key.upper(), key + "_", key[:-1], "__class__", ""))] = record.pop(key)


def _shuffle_list(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=lambda v: isinstance(v, list) and len(v) > 1)) is not None:
        items = place[0][place[1]]
        one, other = rng.choice(len(items), 2, replace=False)
        items[one], items[other] = items[other], items[one]


def _change_list(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=lambda v: isinstance(v, list) and len(v) > 0)) is not None:
        items = place[0][place[1]]
        at = int(rng.integers(len(items)))
        draw = rng.random()
        if draw < 0.3:
            items.append(copy.deepcopy(items[at]))
        elif draw < 0.5:
            items.clear()
        elif draw < 0.75:
            del items[at:]
        else:
            items.insert(at, copy.deepcopy(_pick(rng, _ODD)))


def _twin(content: Any, rng: Rng) -> None:
    """An element a second time, under the same id or another."""
    parts = [part for part in content.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if parts:
        part = _pick(rng, parts)
        twin = copy.deepcopy(_pick(rng, part))
        if isinstance(twin, dict) and rng.random() < 0.7:
            twin["id"] = f"{twin.get('id')}.twin"
        part.append(twin)


def _borrow(content: Any, rng: Rng) -> None:
    """A field of one element has the value that another element has there."""
    parts = [part for part in content.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if parts:
        part = _pick(rng, parts)
        one, other = _pick(rng, part), _pick(rng, part)
        common = [key for key in one if key in other] if isinstance(one, dict) and isinstance(other, dict) else []
        if common:
            key = _pick(rng, common)
            one[key] = copy.deepcopy(other[key])


def _nodes(content: Any) -> list[list[Any]]:
    """Every node reference: a list of a name and a number."""
    return [
        owner[key]
        for owner, key in _places(content)
        if isinstance(owner[key], list)
        and len(owner[key]) == 2
        and isinstance(owner[key][0], str)
        and _is_number(owner[key][1])
    ]


def _another_node(content: Any, rng: Rng) -> None:
    found = _nodes(content)
    if found:
        node = _pick(rng, found)
        if rng.random() < 0.5:
            node[1] = _pick(rng, (0, 1, 2, 3, 4, -1, 10**20))
        else:
            node[0] = _pick(rng, ("nowhere", "", _pick(rng, found)[0], _pick(rng, found)[0]))


def _branch(content: Any, rng: Rng) -> Any:
    part = content.get("branches")
    found = [b for b in part if isinstance(b, dict)] if isinstance(part, list) else []
    return _pick(rng, found) if found else {}


def _to_itself(content: Any, rng: Rng) -> None:
    terminals = _branch(content, rng).get("terminals")
    if isinstance(terminals, list) and len(terminals) > 1:
        terminals[1] = copy.deepcopy(terminals[0])


def _spoil_matrix(content: Any, rng: Rng) -> None:
    def is_matrix(value: Any) -> bool:
        return isinstance(value, dict) and set(value) == {"re", "im"}

    if (place := _somewhere(content, rng, wanted=is_matrix)) is not None:
        matrix = place[0][place[1]]
        factor = _pick(rng, _FACTORS)
        for part in _pick(rng, (("re",), ("im",), ("re", "im"))):
            if isinstance(matrix[part], list):
                matrix[part] = [
                    [factor * x if _is_number(x) and abs(x) < 1e90 else x for x in row]
                    if isinstance(row, list)
                    else row
                    for row in matrix[part]
                ]


def _flip_a_switch(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=lambda value: isinstance(value, bool))) is not None:
        place[0][place[1]] = not place[0][place[1]]


_MODEL_WAYS = (
    _scale,
    _scale,
    _scale,
    _another_number,
    _another_type,
    _drop,
    _drop_element,
    _drop_element,
    _rename,
    _shuffle_list,
    _change_list,
    _twin,
    _twin,
    _borrow,
    _borrow,
    _another_node,
    _another_node,
    _to_itself,
    _spoil_matrix,
    _spoil_matrix,
    _flip_a_switch,
)


def _key_twice(text: bytes, rng: Rng) -> bytes:
    keys = list(re.finditer(rb'"(\w+)": ', text))
    if not keys:
        return text
    key: re.Match[bytes] = _pick(rng, keys)
    return text[: key.start()] + key.group(0) + b"null, " + text[key.start() :]


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
    return int(_pick(rng, found)) if found else None


def _drop_line(lines: list[str], rng: Rng) -> None:
    if lines:
        del lines[int(rng.integers(len(lines)))]


def _repeat_line(lines: list[str], rng: Rng) -> None:
    if lines:
        lines.insert(int(rng.integers(len(lines) + 1)), _pick(rng, lines))


def _swap_lines(lines: list[str], rng: Rng) -> None:
    if len(lines) > 1:
        one, other = rng.choice(len(lines), 2, replace=False)
        lines[one], lines[other] = lines[other], lines[one]


def _change_number(lines: list[str], rng: Rng) -> None:
    if (at := _line_of(lines, rng, wanted=_NUMBER)) is not None:
        match = _pick(rng, list(_NUMBER.finditer(lines[at])))
        number = float(match.group(0))
        new = _pick(rng, _DECK_NUMBERS) if rng.random() < 0.5 else f"{number * _pick(rng, _FACTORS[:9]):g}"
        lines[at] = lines[at][: match.start()] + new + lines[at][match.end() :]


def _change_property(lines: list[str], rng: Rng) -> None:
    if (at := _line_of(lines, rng, wanted=_PROPERTY)) is not None:
        match = _pick(rng, list(_PROPERTY.finditer(lines[at])))
        key, value = match.group(1), match.group(2)
        key = _pick(rng, (key, key, "nonsense", key[:-1], "phases", "like", "enabled"))
        value = _pick(rng, (value, *_DECK_NUMBERS, "no"))
        lines[at] = lines[at][: match.start()] + f"{key}={value}" + lines[at][match.end() :]


def _change_bus(lines: list[str], rng: Rng) -> None:
    wanted = re.compile(r"(?i)\bbus(?:1|2)?\s*=\s*(\S+)")
    if (at := _line_of(lines, rng, wanted=wanted)) is not None:
        match = _pick(rng, list(wanted.finditer(lines[at])))
        lines[at] = lines[at][: match.start(1)] + _pick(rng, _DECK_BUSES) + lines[at][match.end(1) :]


def _change_phases(lines: list[str], rng: Rng) -> None:
    wanted = re.compile(r"(?i)\bphases\s*=\s*(\S+)")
    if (at := _line_of(lines, rng, wanted=wanted)) is not None:
        match = _pick(rng, list(wanted.finditer(lines[at])))
        lines[at] = (
            lines[at][: match.start(1)] + _pick(rng, ("0", "1", "2", "4", "-1", "x")) + lines[at][match.end(1) :]
        )


def _cut_text(lines: list[str], rng: Rng) -> None:
    if lines:
        at = int(rng.integers(len(lines)))
        cut = int(rng.integers(len(lines[at]) + 1))
        if rng.random() < 0.3:
            del lines[at + 1 :]
        lines[at] = (
            lines[at][:cut] + _pick(rng, ("", "\x00", "\u2603", "((((", '"', "'", "=", "{")) + lines[at][cut + 1 :]
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
