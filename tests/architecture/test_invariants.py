"""adms/INVARIANTS.md says where each invariant is enforced; what it names is there."""

import re
from pathlib import Path

import pytest

from adms.apps.interlock.registry import GUARDS

COUNTS = {"SW": 25, "VV": 12, "DE": 12, "X": 7}
IDS = [f"{family}{number}" for family, count in COUNTS.items() for number in range(1, count + 1)]
MODULE = re.compile(r"`([\w/]+\.py)`")


@pytest.fixture(scope="module")
def rows(project_root: Path) -> dict[str, tuple[str, str, str]]:
    """Severity, what enforces it and what is missing, by id; in the order of the file."""
    found: dict[str, tuple[str, str, str]] = {}
    for line in (project_root / "adms" / "INVARIANTS.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"[A-Z]+\d+", cells[0]):
            assert cells[0] not in found, f"{cells[0]} stands twice"
            _, _, severity, enforced, missing = cells
            found[cells[0]] = (severity, enforced, missing)
    return found


def test_every_invariant_has_one_row(rows: dict[str, tuple[str, str, str]]) -> None:
    assert list(rows) == IDS


def test_every_guard_stands_in_its_row_with_its_module_and_severity(rows: dict[str, tuple[str, str, str]]) -> None:
    wrong = []
    for guard in GUARDS:
        module = guard.function.__module__.removeprefix("adms.").replace(".", "/") + ".py"
        severity, enforced, _ = rows.get(guard.id, ("", "", ""))
        if f"guard `{module}`" not in enforced or severity != guard.severity.value:
            wrong.append(f"{guard.id}: {guard.severity.value} guard of {module}; the table says {severity} {enforced}")
    assert wrong == []


def test_no_row_claims_a_guard_that_is_not_registered(rows: dict[str, tuple[str, str, str]]) -> None:
    registered = {guard.id for guard in GUARDS}
    assert {name for name, (_, enforced, _) in rows.items() if "guard `" in enforced} == registered


def test_every_module_named_exists(rows: dict[str, tuple[str, str, str]], project_root: Path) -> None:
    text = (project_root / "adms" / "INVARIANTS.md").read_text()
    named = MODULE.findall(text)
    assert [name for name in named if not (project_root / "adms" / name).is_file()] == []
    assert {name for name, (_, enforced, _) in rows.items() if not MODULE.search(enforced)} == {
        name for name, (_, enforced, _) in rows.items() if enforced == "not yet"
    }
