"""Which models a device has and where: "SunS" at one of three addresses, then models one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass

from adms.gateway.sunspec.modbus import READ_MAX, DeviceRefusedError, Line
from adms.gateway.sunspec.points import AC, CAPACITY, COMMON, CONTROLS, Block

BASE_ADDRESSES = (40_000, 0, 50_000)
SUNS = [0x5375, 0x6E53]
END = 0xFFFF
MODELS_MAX = 200
NEEDED = (COMMON, AC, CAPACITY, CONTROLS)


class NoSunSpecError(Exception):
    """What answers there is no device that the gateway can lead."""


@dataclass(frozen=True, kw_only=True)
class ModelPlace:
    """Where a model stands."""

    address: int
    """Modbus address of its ID register."""
    size: int
    """Registers, with ID and L."""


async def discover(line: Line, *, unit_id: int) -> Mapping[int, ModelPlace]:
    """The models of a device, the first of each number. Raises NoSunSpecError, LineError and DeviceRefusedError."""
    base = await _base(line, unit_id=unit_id)
    found: dict[int, ModelPlace] = {}
    address = base + len(SUNS)
    for _ in range(MODELS_MAX):
        if address + 2 > 0x10000:
            raise NoSunSpecError("the models run past the last register")
        model_id = (await line.read(unit_id, address=address, count=1))[0]
        if model_id == END:
            break
        # Some devices have no register for the end model's length: ID and L are asked for one by one.
        length = (await line.read(unit_id, address=address + 1, count=1))[0]
        found.setdefault(model_id, ModelPlace(address=address, size=length + 2))
        address += length + 2
    else:
        raise NoSunSpecError(f"no end after {MODELS_MAX} models")
    absent = [str(model) for model in NEEDED if model not in found]
    if absent:
        raise NoSunSpecError(f"it has no model {', '.join(absent)}")
    return found


async def _base(line: Line, *, unit_id: int) -> int:
    for base in BASE_ADDRESSES:
        try:
            if await line.read(unit_id, address=base, count=2) == SUNS:
                return base
        except DeviceRefusedError:
            continue
    raise NoSunSpecError("no SunS at 40000, 0 or 50000")


async def read_block(line: Line, *, unit_id: int, model_id: int, place: ModelPlace) -> Block:
    """A model's registers, as far as one message carries them. Raises LineError and DeviceRefusedError."""
    count = min(place.size, READ_MAX)
    return Block(model_id=model_id, registers=await line.read(unit_id, address=place.address, count=count))
