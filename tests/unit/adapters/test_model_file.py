"""The model file: what is written comes back, and what is wrong is refused in words."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.adapters.model_file import load_model, model_version, save_model
from adms.core.errors import InputError
from adms.grid.model import NetworkModel
from tests.unit.grid.small_networks import two_feeders


def _written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "network.json"
    save_model(two_feeders(), path)
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))
    return path


def test_a_model_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    version = save_model(two_feeders(), path)
    assert load_model(path) == (two_feeders(), version)


def test_an_imported_feeder_comes_back_bit_by_bit(project_root: Path, tmp_path: Path) -> None:
    folder = project_root / "hil/feeders/ieee123"
    model = import_opendss(folder / "IEEE123Master.dss", overlay=folder / "123-operated.toml")
    path = tmp_path / "network.json"
    version = save_model(model, path)
    assert load_model(path) == (model, version)


def test_the_version_is_that_of_the_content_not_of_its_layout(tmp_path: Path) -> None:
    path = _written(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert load_model(path)[1] == model_version(two_feeders())


def test_any_change_changes_the_version() -> None:
    assert model_version(replace(two_feeders(), frequency_hz=50.0)) != model_version(two_feeders())


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: no such file"):
        load_model(tmp_path / "nowhere.json")


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text("[section]\nname = 1")
    with pytest.raises(InputError, match="is not a JSON file"):
        load_model(path)


def test_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text("[]")
    with pytest.raises(InputError, match="an object is expected"):
        load_model(path)


def test_another_schema_version_is_refused_before_anything_else(tmp_path: Path) -> None:
    path = _written(tmp_path, schema_version=7, new_field=1)
    with pytest.raises(InputError) as caught:
        load_model(path)
    (problem,) = caught.value.problems
    assert (problem.field, problem.value) == ("schema_version", "7")
    assert "reads version 2" in problem.message


def test_a_known_form_with_another_schema_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="schema_version"):
        load_model(_written(tmp_path, schema_version=1))


def test_unknown_and_missing_fields_are_refused_together_with_the_element_they_stand_in(tmp_path: Path) -> None:
    path = _written(tmp_path, colour="red")
    content = json.loads(path.read_text())
    content["branches"][1]["colour"] = "red"
    del content["loads"][0]["p_w"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        load_model(path)
    found = {(Path(p.element).name, p.field) for p in caught.value.problems}
    assert found == {("network.json", "colour"), ("line.bc", "colour"), ("load.b", "p_w")}


def test_what_the_content_says_is_checked_too(tmp_path: Path) -> None:
    path = _written(tmp_path)
    content = json.loads(path.read_text())
    content["loads"][0]["law"]["z_frac"] = 0.5
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"load\.b\.law\.z_frac .* must be 1"):
        load_model(path)


def test_a_model_that_could_not_be_loaded_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    broken: NetworkModel = replace(two_feeders(), sources=())
    with pytest.raises(InputError):
        save_model(broken, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"p_w":40000.0', '"p_w":NaN', "is not a finite number"),
        ('"p_w":40000.0', '"p_w":Infinity', "is not a finite number"),
        ('"p_w":40000.0', f'"p_w":1{"0" * 400}', "is not a finite number"),
        ('"p_w":40000.0', '"p_w":"40000.0"', "valid number"),
        ('"p_w":40000.0', '"p_w":true', "valid number"),
        ('"p_w":40000.0', '"p_w":40000.0,"p_w":4.0', "is given twice"),
        ('"p_w":40000.0', f'"p_w":{"[" * 5000}', "is not a JSON file|nested too deeply"),
        ('"customers":10', f'"customers":{10**30}', "must be 0 to"),
        ('"customers":10', f'"customers":1{"0" * 5000}', "is not a JSON file"),
        ('"customers":10', '"customers":10.5', "valid integer"),
        ('"phases":[1,2,3]', f'"phases":[1,2,{10**25}]', "must not be above 255"),
        ('"kind":"line"', '"kind":"wire"', "Input should be 'line'"),
        ('"schema_version":2', '"schema_version":1', "import the network again"),
        ('"schema_version":2', '"schema_version":true', "import the network again"),
        (',"schema_version":2', "", "schema_version: is missing"),
    ],
)
def test_what_a_reader_might_swallow_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "network.json"
    save_model(two_feeders(), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{\xff}", "is not UTF-8 text: byte 0xff at 1"),
        (b"[" * 100_000, "nested too deeply|is not a JSON file"),
        (b"null", "an object is expected"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load_model(path)


def test_a_folder_and_a_pipe_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is a folder"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="no ordinary file"):
        load_model(pipe)


def test_loading_a_model_imports_no_importers_library(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    save_model(two_feeders(), path)
    code = (
        "import sys; from pathlib import Path; from adms.adapters.model_file import load_model;"
        f"load_model(Path({str(path)!r}));"
        "print(*sorted({'pandapower', 'pandas', 'dss', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
