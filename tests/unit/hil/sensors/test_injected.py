"""A plan in words."""

import tomllib
from typing import Any

import pytest

from hil.sensors.faults import read_sensor_plan
from hil.sensors.injected import injected, lie_in_words
from hil.sensors.lies import LIES

PLAN = """
[[sensor]]
point = "*"
bias_sigma_frac = 0.01
[[sensor_fault]]
point = "p_flow_w/switch.x/0/*"
kind = "scaled"
factor = 10
start_s = 120
duration_s = 300
[[sensor_fault]]
point = "soc_frac/*"
source = "der.*"
kind = "stuck_at_last"
start_s = 60
[[channel]]
source = "quiet"
[[channel]]
source = "gateway"
latency_s = 0.2
jitter_s = 0.5
jitter_distribution = "exponential"
loss_frac = 0.02
clock_skew_s = -1.5
[[channel.outage]]
start_s = 200.0
duration_s = 60.0
[[channel.flag]]
point = "v_*"
quality = "suspect"
chance_frac = 0.05
start_s = 90.0
"""


def test_faults_are_listed_by_their_start_with_where_and_what() -> None:
    found = injected(read_sensor_plan(tomllib.loads(PLAN)))
    assert [(one.span.start_s, one.span.duration_s, one.where, one.text) for one in found] == [
        (
            0.0,
            None,
            "gateway",
            "latency of 0.2 s and exponential jitter of 0.5 s; loses 0.02 of its frames; "
            "clock off by -1.5 s and +0 s/h",
        ),
        (60.0, None, "soc_frac/* of der.*", "stuck at its last value"),
        (90.0, None, "v_* of gateway", "flagged suspect with a chance of 0.05"),
        (120.0, 300.0, "p_flow_w/switch.x/0/*", "shows 10 times the value"),
        (200.0, 60.0, "gateway", "outage, its frames lost"),
    ]


@pytest.mark.parametrize("kind", LIES)
def test_every_lie_has_words_of_its_own(kind: str) -> None:
    fields: dict[str, Any] = {"value": 1.0, "factor": 2.0, "drift_per_h": 3.0, "phases": (1, 2)}
    words = {
        word: lie_in_words(lie(**{name: fields[name] for name in lie.__dataclass_fields__}))
        for word, lie in LIES.items()
    }
    assert words[kind]
    assert list(words.values()).count(words[kind]) == 1
