"""What an installation brings, and what the README promises about it."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

COPYLEFT = re.compile(r"\bA?GPL|\bLGPL|GNU (?:Lesser|Library|General|Affero)", re.IGNORECASE)
PERMISSIVE = re.compile(
    r"\b(?:MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|0BSD|Zlib)\b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def project(project_root: Path) -> dict[str, Any]:
    return tomllib.loads((project_root / "pyproject.toml").read_text())


def _base_closure(project: dict[str, Any]) -> set[str]:
    """Names of every distribution that a base install brings here."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in project["project"]["dependencies"]]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError as missing:
            raise AssertionError(f"{name} is required and not installed") from missing
        found.add(name)
        waiting += [Requirement(text) for text in needs]
    return found


def _licence(name: str) -> str:
    """What the distribution says of its licence, the most formal statement first."""
    metadata = distribution(name).metadata
    expression, *_ = metadata.get_all("License-Expression") or [""]
    text, *_ = metadata.get_all("License") or [""]
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    # The first line only: wheels of numpy and scipy append the licences of compiler run-times with their exceptions.
    return expression or " ".join(classifiers) or text.strip().partition("\n")[0]


def test_the_base_install_has_no_copyleft_licence(project: dict[str, Any]) -> None:
    licences = {name: _licence(name) for name in _base_closure(project)}
    assert {name: text for name, text in licences.items() if COPYLEFT.search(text)} == {}
    assert {name: text for name, text in licences.items() if not PERMISSIVE.search(text)} == {}


def test_the_stub_compiler_is_the_same_at_build_and_in_development(project: dict[str, Any]) -> None:
    pins = {Requirement(text).name: str(Requirement(text).specifier) for text in project["build-system"]["requires"]}
    development = {
        Requirement(text).name: str(Requirement(text).specifier)
        for text in project["project"]["optional-dependencies"]["dev"]
    }
    for name in ("grpcio-tools", "mypy-protobuf"):
        assert pins[name].startswith("==")
        assert development[name] == pins[name]


def test_grpc_at_run_time_is_no_older_than_the_stub_compiler(project: dict[str, Any]) -> None:
    compiler = next(
        Requirement(text) for text in project["build-system"]["requires"] if text.startswith("grpcio-tools")
    )
    version = str(compiler.specifier).removeprefix("==")
    grpc = {name: spec for name, spec in _bounds(project).items() if name.startswith("grpcio")}
    assert grpc
    assert set(grpc.values()) == {f">={version}"}


def test_every_base_dependency_has_a_lower_bound(project: dict[str, Any]) -> None:
    assert {name: spec for name, spec in _bounds(project).items() if ">=" not in spec} == {}


def _bounds(project: dict[str, Any]) -> dict[str, str]:
    return {Requirement(text).name: str(Requirement(text).specifier) for text in project["project"]["dependencies"]}


def test_ci_runs_exactly_the_test_line_of_the_readme(project_root: Path) -> None:
    readme = (project_root / "README.md").read_text()
    lines = [line.strip() for line in readme.splitlines() if line.strip().startswith("python3 -m venv")]
    demo, tests = lines
    assert demo.endswith("adms demo")
    assert tests.endswith("pytest")
    assert tests in (project_root / ".ci" / "run").read_text()
