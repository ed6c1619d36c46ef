"""Fixtures for every floor."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--mutations`: how many spoiled inputs `tests/property/test_mutated_*.py` try together."""
    parser.addoption("--mutations", type=int, default=200, help="Spoiled model files and decks to try.")


@pytest.fixture(scope="session")
def mutations(request: pytest.FixtureRequest) -> int:
    """How many spoiled inputs are tried."""
    return int(request.config.getoption("--mutations"))
