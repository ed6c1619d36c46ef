"""`adms config`: the commented reference with some keys set."""

import tomllib
from pathlib import Path

import pytest

from adms.cli.configuration import with_values, write_configuration
from adms.core.errors import InputError


def test_values_are_replaced_in_their_own_table_only() -> None:
    toml = '# why\n[a]\nx = 1 # old\n[b]\nx = 1\ny = "s"\n'
    changed = with_values(toml, {("b", "x"): True, ("b", "y"): 'quote " and \\'})
    assert tomllib.loads(changed) == {"a": {"x": 1}, "b": {"x": True, "y": 'quote " and \\'}}
    assert "# why" in changed


def test_keys_that_the_reference_lacks_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        write_configuration(tmp_path / "service.toml", settings=["a.z=1", "round.nothing=2", "bad"], additions=[])
    told = [str(problem) for problem in refused.value.problems]
    assert [any(word in line for line in told) for word in ("[a].z", "[round].nothing", "bad")] == [True] * 3
    assert not (tmp_path / "service.toml").exists()


def test_keys_are_set_with_the_types_of_toml_and_tables_are_added(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('[[class_profile]]\nname = "unknown"\nweekday = { mean_frac = 1.0 }\n')
    path = tmp_path / "service.toml"
    settings = ["round.period_s=4.0", "service.simulation=true", "service.name=a feeder"]
    write_configuration(path, settings=settings, additions=[more])
    written = tomllib.loads(path.read_text())
    assert written["round"]["period_s"] == 4.0
    assert written["service"]["simulation"] is True
    assert written["service"]["name"] == "a feeder"
    assert written["class_profile"][0]["weekday"] == {"mean_frac": 1.0}


def test_an_addition_that_repeats_a_table_of_the_reference_is_refused(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text("[round]\nperiod_s = 1.0\n")
    with pytest.raises(InputError, match="does not go with the reference"):
        write_configuration(tmp_path / "service.toml", settings=[], additions=[more])
