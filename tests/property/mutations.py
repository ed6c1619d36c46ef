"""Ways to spoil a model file. Chance comes from the generator that is passed: a seed repeats a mutation.

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

NUMBERS = (0, -1, 1, 4, 7, 0.5, 1e-9, 1e-300, 1e9, 1e30, 1e308, -1e30, float("nan"), float("inf"), 2**63, 10**40)
FACTORS = (0.0, -1.0, 0.5, 0.9, 1.1, 2.0, 3.0, 10.0, 1e3, 1e-3, 1e6, 1e-6, 1e12, 1e-12, 1e200)
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
        pick(rng, _MODEL_WAYS)(spoiled, rng)
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


def pick(rng: Rng, choices: Any) -> Any:
    """One of several."""
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
        part = pick(rng, parts)
        row = int(rng.integers(len(part)))
        element = part[row]
        found = [(part, row)] if wanted(element) else []
        found += [p for p in _places(element) if wanted(p[0][p[1]])] if isinstance(element, dict | list) else []
        by_field = [p for p in found if isinstance(p[0], dict)]
        found = by_field if by_field and rng.random() < 0.6 else found
    return pick(rng, found) if found else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=_is_number)) is not None:
        owner, key = place
        owner[key] = owner[key] * pick(rng, FACTORS) if abs(owner[key]) < 1e100 else 0.0


def _another_number(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=_is_number)) is not None:
        place[0][place[1]] = pick(rng, NUMBERS)


def _another_type(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng)) is not None:
        place[0][place[1]] = copy.deepcopy(pick(rng, _ODD))


def _drop(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng)) is not None:
        del place[0][place[1]]


def _drop_element(content: Any, rng: Rng) -> None:
    parts = [part for part in content.values() if isinstance(part, list) and part]
    if parts:
        part = pick(rng, parts)
        del part[int(rng.integers(len(part)))]


def _rename(content: Any, rng: Rng) -> None:
    if (place := _somewhere(content, rng, wanted=lambda value: isinstance(value, dict))) is not None:
        record = place[0][place[1]]
        if record:
            key = pick(rng, list(record))
            record[pick(rng, (key.upper(), key + "_", key[:-1], "__class__", ""))] = record.pop(key)


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
            items.insert(at, copy.deepcopy(pick(rng, _ODD)))


def _twin(content: Any, rng: Rng) -> None:
    """An element a second time, under the same id or another."""
    parts = [part for part in content.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if parts:
        part = pick(rng, parts)
        twin = copy.deepcopy(pick(rng, part))
        if isinstance(twin, dict) and rng.random() < 0.7:
            twin["id"] = f"{twin.get('id')}.twin"
        part.append(twin)


def _borrow(content: Any, rng: Rng) -> None:
    """A field of one element has the value that another element has there."""
    parts = [part for part in content.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if parts:
        part = pick(rng, parts)
        one, other = pick(rng, part), pick(rng, part)
        common = [key for key in one if key in other] if isinstance(one, dict) and isinstance(other, dict) else []
        if common:
            key = pick(rng, common)
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
        node = pick(rng, found)
        if rng.random() < 0.5:
            node[1] = pick(rng, (0, 1, 2, 3, 4, -1, 10**20))
        else:
            node[0] = pick(rng, ("nowhere", "", pick(rng, found)[0], pick(rng, found)[0]))


def _branch(content: Any, rng: Rng) -> Any:
    part = content.get("branches")
    found = [b for b in part if isinstance(b, dict)] if isinstance(part, list) else []
    return pick(rng, found) if found else {}


def _to_itself(content: Any, rng: Rng) -> None:
    terminals = _branch(content, rng).get("terminals")
    if isinstance(terminals, list) and len(terminals) > 1:
        terminals[1] = copy.deepcopy(terminals[0])


def _spoil_matrix(content: Any, rng: Rng) -> None:
    def is_matrix(value: Any) -> bool:
        return isinstance(value, dict) and set(value) == {"re", "im"}

    if (place := _somewhere(content, rng, wanted=is_matrix)) is not None:
        matrix = place[0][place[1]]
        factor = pick(rng, FACTORS)
        for part in pick(rng, (("re",), ("im",), ("re", "im"))):
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
    key: re.Match[bytes] = pick(rng, keys)
    return text[: key.start()] + key.group(0) + b"null, " + text[key.start() :]
