import re
import socket
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from adms.adapters.model_file import save_model
from adms.apps.dispatch import DispatchPolicy
from adms.apps.interlock import InterlockPolicy
from adms.apps.voltvar import VoltVarPolicy
from adms.core.errors import InputError
from adms.forecast import ForecastPolicy
from adms.service.__main__ import main
from adms.service.bounds import BOUNDS, ORDER
from adms.service.config import REFERENCE, load_configuration
from tests.unit.runtime.feeders import small_model

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the reference configuration with some text replaced."""
    save_model(small_model(), tmp_path / "feeder.json")

    def _write(*changes: tuple[str, str]) -> Path:
        text = REFERENCE.read_text().replace(":7350", ":0").replace(":7351", ":0")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "service.toml"
        path.write_text(text)
        return path

    return _write


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_configuration(path)
    return [str(problem) for problem in caught.value.problems]


def test_the_reference_is_complete(write: Write) -> None:
    configuration = load_configuration(write())
    assert configuration.model.name == "small"
    # Shared values stand once in the file and reach every part.
    age_s = configuration.round.telemetry_max_age_s
    assert configuration.estimation.telemetry_max_age_s == age_s
    assert configuration.interlock.telemetry_max_age_s == age_s
    assert configuration.interlock.der_lease_s == configuration.gate.lease_s
    # Planners plan by the very limits that the gate checks.
    for app in (configuration.flisr, configuration.voltvar, configuration.dispatch):
        assert app.interlock is configuration.interlock
    # Meters' values age by how the forecast says that loads move.
    ageing = configuration.estimation.ageing
    assert ageing is not None
    assert ageing.load_tau_s == configuration.forecast.own_fast_tau_s
    assert ageing.load_stays_share == configuration.forecast.own_level_share
    assert ageing.average_interval_s == configuration.forecast.meter_interval_s


def test_the_reference_says_what_the_forecast_would_take_by_itself(write: Write) -> None:
    """So that a study without a configuration file and a service with the reference forecast alike."""
    assert load_configuration(write()).forecast == ForecastPolicy()


def test_reported_positions_are_tested_with_their_table_and_not_without(write: Write) -> None:
    path = write()
    tested = load_configuration(path).positions
    assert tested is not None
    assert (tested.named_in_a_row, tested.voltage_bias_frac) == (2, 0.005)
    path.write_text(re.sub(r"(?s)\[positions\].*?\n\n", "", path.read_text()))
    assert load_configuration(path).positions is None


def test_no_number_of_the_forecast_may_be_left_out(write: Write) -> None:
    path = write(("own_fast_tau_s = 2700.0", ""), ("harmonics = 3", ""), ("tilt_gain = 1.3", ""))
    assert sorted(problems(path)) == [
        "[forecast].own_fast_tau_s: is missing",
        "[load_motion].harmonics: is missing",
        "[solar].tilt_gain: is missing",
    ]


PROFILE = """
[[class_profile]]
name = "bakery"
level_frac = 0.7
own_sigma_frac = 0.3
weekday = { mean_frac = 1.0, swings = [{ per_day = 1, amplitude_frac = 0.6, peak_h = 4.0 }] }
weekend = { mean_frac = 1.2 }

[flisr]
"""


def test_class_profiles_are_read(write: Write) -> None:
    (profile,) = load_configuration(write(("\n[flisr]\n", PROFILE))).forecast.profiles
    assert (profile.name, profile.level_frac, profile.own_sigma_frac) == ("bakery", 0.7, 0.3)
    assert profile.common_sigma_frac is None
    # 1 + 0.6 at its peak, 1 - 0.6 half a day later.
    assert profile.weekday.at(4.0) == pytest.approx(1.6)
    assert profile.weekday.at(16.0) == pytest.approx(0.4)
    assert profile.weekend.at(4.0) == pytest.approx(1.2)


def test_everything_wrong_with_class_profiles_motion_and_sun_is_said_at_once(write: Write) -> None:
    wrong = (
        PROFILE.replace("level_frac", "level_fraction")
        .replace("own_sigma_frac = 0.3", "own_sigma_frac = 3.0")
        .replace("amplitude_frac = 0.6", "amplitude_frac = 1.6")
        .replace("mean_frac = 1.2", "mean_frac = true")
        .replace("[flisr]", "[[class_profile]]\nweekday = { swings = [{ per_day = 1 }] }\n\n[flisr]")
    )
    path = write(
        ("\n[flisr]\n", wrong),
        ("offset_share = 0.3", "offset_share = 0.9"),
        ("# latitude_deg", "latitude_deg"),
        ("own_level_share = 0.5", "own_level_share = 1.5"),
        ("skew_s = 0.5", "skew = 0.5"),
    )
    text = "\n".join(problems(path))
    for said in (
        "[[class_profile]] bakery.level_fraction: no such key; did you mean level_frac?",
        "[[class_profile]] bakery.weekend.mean_frac",
        "[[class_profile]] 2.weekday.swings: needs per_day, amplitude_frac, peak_h",
        "[load_motion].level_share: with fast_share and offset_share",
        "[solar].longitude_deg: latitude_deg and longitude_deg go together",
        "[forecast].own_level_share: must be at most 1",
        "[ageing].skew: no such key; did you mean skew_s?",
        "[ageing].skew_s: is missing",
    ):
        assert said in text


def test_two_profiles_of_one_name_and_amplitudes_beyond_the_mean_are_refused(write: Write) -> None:
    steep = PROFILE.replace("amplitude_frac = 0.6", "amplitude_frac = 1.6")
    said = problems(write(("\n[flisr]\n", steep.replace("[flisr]\n", PROFILE))))
    assert len(said) == 2
    assert said[0].startswith("[[class_profile]] bakery.weekday.swings: amplitudes must add up to less than 1")
    assert said[1].startswith("[[class_profile]] bakery.name: is given more than once")


def test_every_problem_is_said_at_once(write: Write) -> None:
    path = write(
        ("period_s = 2.0", 'period_s = "2"'),
        ("[dispatch]", "[dispach]"),
        ("soc_max_frac", "soc_max"),
        ("feeder.json", "nowhere.json"),
        ('metrics_listen = "127.0.0.1:0"', 'metrics_listen = "here"'),
        ("renew_s = 20.0", "renew_s = nan"),
    )
    text = "\n".join(problems(path))
    for said in (
        "[round].period_s",
        "[dispach]: no such table; did you mean dispatch?",
        "[dispatch]: table is missing",
        "[interlock].soc_max: no such key; did you mean soc_max_frac?",
        "[interlock].soc_max_frac: is missing",
        "[service].metrics_listen: must be HOST:PORT",
        "[gate].renew_s: must be a finite number",
        "nowhere.json",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("renew_s = 20.0", "renew_s = 3.0", "one lost round lets leases lapse"),
        ("lease_s = 60.0", "lease_s = 30.0", "leases are born too old"),
        ("period_s = 2.0", "period_s = 0.0", "[round].period_s: must be above zero"),
        ("telemetry_max_age_s = 10.0", "telemetry_max_age_s = 1.0", "every picture would be stale"),
        ("estimate_max_age_s = 10.0", "estimate_max_age_s = 1.0", "every estimate would be stale"),
        ("soc_min_frac = 0.1", "soc_min_frac = 0.96", "[interlock].soc_max_frac: must not be below soc_min_frac, 0.96"),
        ("deadband_frac = 0.003", "deadband_frac = 0.03", "[dispatch].margin_frac: must not be below deadband_frac"),
        ("slow_period_s = 60.0", "slow_period_s = 5.0", "[voltvar].slow_period_s: must not be below fast_period_s"),
        ("sigma_margin = 2.0", "sigma_margin = -1.0", "[voltvar].sigma_margin: must be at least 0 (given: -1.0)"),
        (
            "rating_tolerance_frac = 0.02",
            "rating_tolerance_frac = 10.0",
            "der_rating_tolerance_frac: must be at most 0.1",
        ),
        ("load_sigma_frac = 0.4", "load_sigma_frac = 0.0", "[estimation].load_sigma_frac: must be above zero"),
        ("tap_steps_per_move = 4", "tap_steps_per_move = 0", "[interlock].tap_steps_per_move: must be at least 1"),
        ("level_gain = 0.4", "level_gain = 1.4", "[dispatch].level_gain: must be at most 1"),
        ("reactive_deadband_frac = 0.02", "reactive_deadband_frac = 2.0", "reactive_deadband_frac: must be at most 1"),
        ("cold_load_factor = 1.5", "cold_load_factor = 0.5", "[flisr].cold_load_factor: must be at least 1"),
        ("dead_band_w = 500.0", "dead_band_w = -1.0", "[gate].dead_band_w: must be at least 0"),
        ("simulation = false", "simulation = 1", "[service].simulation"),
    ],
)
def test_what_cannot_work_together_is_refused(write: Write, old: str, new: str, said: str) -> None:
    assert said in "\n".join(problems(write((old, new))))


def test_every_number_out_of_range_is_said_at_once(write: Write) -> None:
    """Every number of every table, made negative: no policy is without bounds. Time zones go both ways."""
    numbers = [
        (table, key)
        for table, content in tomllib.loads(REFERENCE.read_text()).items()
        for key, value in content.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and key != "utc_offset_h"
    ]
    path = write()
    path.write_text(re.sub(r"(?m)^(\w+) = [0-9.]+$", r"\1 = -1", path.read_text()))
    said = problems(path)
    for table, key in numbers:
        assert any(problem.startswith(f"[{table}].{key}: must be") for problem in said), (table, key)


def test_every_bound_is_of_a_key_that_exists() -> None:
    tables = tomllib.loads(REFERENCE.read_text())
    optional = {
        ("service", "arrival_timeout_s"),
        ("service", "epoch_floor"),
        ("solar", "latitude_deg"),
        ("solar", "longitude_deg"),
    }
    named = {*BOUNDS, *(pair[0:2] for pair in ORDER), *(pair[2:4] for pair in ORDER)} - optional
    assert [(table, key) for table, key in named if key not in tables[table]] == []


def test_the_reference_plans_no_tap_further_than_the_gate_lets_it_go(write: Write) -> None:
    configuration = load_configuration(write())
    assert not {f.name for f in fields(VoltVarPolicy)} & {f.name for f in fields(InterlockPolicy)}
    assert not {f.name for f in fields(DispatchPolicy)} & {f.name for f in fields(InterlockPolicy)}
    assert configuration.voltvar.moves_per_plan_max >= configuration.interlock.tap_steps_per_move


def test_a_shared_value_is_not_set_twice(write: Write) -> None:
    path = write(("[interlock]", "[interlock]\nder_lease_s = 90.0"))
    assert problems(path) == ["[interlock].der_lease_s: is set elsewhere; leave it out here (given: 90.0)"]


def test_a_key_that_moved_to_the_interlock_is_refused(write: Write) -> None:
    path = write(("[voltvar]", "[voltvar]\ntap_budget_per_day = 30"), ("[dispatch]", "[dispatch]\nsoc_min_frac = 0.0"))
    text = "\n".join(problems(path))
    assert "[voltvar].tap_budget_per_day: no such key" in text
    assert "[dispatch].soc_min_frac: no such key" in text


def test_a_busy_port_is_said(write: Write) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (problem,) = problems(write(('listen = "127.0.0.1:0"\nmetrics', f'listen = "{address}"\nmetrics')))
    assert problem.startswith("[service].listen: cannot listen there")
    assert address in problem


def test_a_folder_that_cannot_be_made_is_said(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = problems(write(('state_folder = "state"', 'state_folder = "file/state"')))
    assert problem.startswith("[service].state_folder: cannot be made")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model_file = "feeder.json"', 'model_file = "a\\u0000b"', "[service].model_file: holds a NUL"),
        ('state_folder = "state"', 'state_folder = "a\\u0000b"', "[service].state_folder: holds a NUL"),
        ("# redis_url = ", 'redis_url = "localhost" # ', "[service].redis_url: is no Redis URL"),
        ("# redis_url = ", 'redis_url = "redis://:secret@h:none" # ', "[service].redis_url: is no Redis URL"),
    ],
)
def test_what_no_file_or_server_can_be_called_is_said(write: Write, old: str, new: str, said: str) -> None:
    (problem,) = problems(write((old, new)))
    assert problem.startswith(said)
    assert "secret" not in problem


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), ("[service\n", "line 1")])
def test_a_file_that_cannot_be_read_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_text(content)
    assert main(["--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
