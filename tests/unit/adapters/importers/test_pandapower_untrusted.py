"""A pandapower file is text from anywhere: what it asks to be made is looked at before pandapower sees it."""

import json
from pathlib import Path
from typing import Any

import pandapower
import pytest
from pandapower import networks

from adms.adapters.importers.pandapower_net import read_net
from adms.core.errors import InputError


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """A small net as a file has it."""
    loaded: dict[str, Any] = json.loads(pandapower.to_json(networks.example_simple()))
    return loaded


def _with(content: dict[str, Any], path: Path, more: object) -> Path:
    path.write_text(json.dumps({**content, "_object": {**content["_object"], "more": more}}), encoding="utf-8")
    return path


def test_a_net_as_pandapower_writes_it_is_read(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert len(read_net(path).bus) == len(networks.example_simple().bus)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("builtins", "exec"),
        ("pandas", "read_pickle"), ("pandas", "eval"), ("numpy", "load"), ("numpy", "fromfile"),
        ("networkx", "read_gpickle"),
        ("pandapower.file_io", "from_pickle"), ("pandapower.io_utils", "exec"), ("pandapower", "from_json"),
        ("pandas.core.frame.DataFrame", "eval"), ("site", "main"), ("antigravity", ""), ("os", "function"),
    ],
)  # fmt: skip
def test_a_file_that_names_anything_but_the_classes_of_a_net_is_refused(
    module: str, name: str, content: dict[str, Any], tmp_path: Path
) -> None:
    asked = {"_module": module, "_class": name, "_object": "x"}
    for more in (asked, [asked], {"deep": asked}, json.dumps(asked), json.dumps({"deep": json.dumps(asked)})):
        with pytest.raises(InputError) as refused:
            read_net(_with(content, tmp_path / "net.json", more))
        assert [problem.value for problem in refused.value.problems] == [f"{module}.{name}"]


def test_a_name_hidden_by_escapes_in_a_nested_table_is_found(content: dict[str, Any], tmp_path: Path) -> None:
    hidden = '{"\\u005fmodule": "pandas", "\\u005fclass": "read_pickle", "_object": "x"}'
    with pytest.raises(InputError) as refused:
        read_net(_with(content, tmp_path / "net.json", hidden))
    assert [problem.value for problem in refused.value.problems] == ["pandas.read_pickle"]
