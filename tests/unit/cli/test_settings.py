"""The demonstration's configuration is the service's reference with a few keys set."""

import tomllib
from pathlib import Path

from adms.cli.demo.settings import set_earlier_run_aside, write_configuration

FEEDER = {
    "name": "123-operated",
    "period_s": 2.0,
    "load_factor_mean": 0.8,
    "load_sigma_frac": 0.4,
    "load_correlation_s": 60.0,
}


def test_the_configuration_tells_the_service_the_benchs_load_statistics(tmp_path: Path) -> None:
    written = tomllib.loads(write_configuration(tmp_path, listen="127.0.0.1:0", feeder=FEEDER).read_text())
    assert written["estimation"]["load_factor_mean"] == 0.8
    assert written["estimation"]["load_sigma_frac"] == 0.4
    # All that is a customer's own comes and goes, and no hour differs from another.
    assert written["forecast"]["own_fast_tau_s"] == 60.0
    assert written["forecast"]["own_level_share"] == 0.0
    assert written["class_profile"] == [{"name": "unknown", "weekday": {"mean_frac": 1.0}}]
    assert written["ageing"]["skew_s"] == 0.0
    assert written["round"]["period_s"] == 2.0
    assert written["service"]["simulation"] is True


def test_the_journal_of_an_earlier_run_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    assert set_earlier_run_aside(tmp_path) is None
    for run in ("first", "second"):
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "journal.sqlite").write_text(run)
        set_earlier_run_aside(tmp_path)
    assert not (tmp_path / "state").exists()
    assert (tmp_path / "state-1" / "journal.sqlite").read_text() == "first"
    assert (tmp_path / "state-2" / "journal.sqlite").read_text() == "second"
