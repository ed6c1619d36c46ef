"""One random stream per purpose and name, so that adding a meter or a fault changes no other draw."""

from __future__ import annotations

from enum import IntEnum
from zlib import crc32

import numpy as np


class Stream(IntEnum):
    """What a stream is drawn for. The numbers are part of a run's identity: never reuse one."""

    BIAS = 21
    GAIN = 22
    REPORT_DELAY = 23
    LATENCY = 24
    LOSS = 25
    DUPLICATE = 26
    REORDER = 27
    FLAG = 28


def stream_of(seed: int, purpose: Stream, *, name: str) -> np.random.Generator:
    """The stream of one name (a point, a meter, a source)."""
    return np.random.default_rng([seed, int(purpose), crc32(name.encode())])


def meter_stream(seed: int, *, point: str, owner: str) -> np.random.Generator:
    """Noise and drop-outs of one point (stream 2), by owner too: a point that changes hands is another meter."""
    return np.random.default_rng([seed, 2, crc32(point.encode()), crc32(owner.encode())])
