"""Fixtures for every floor. BLAS has the one thread here that the service gives it, whatever a test imports first:
otherwise a thread that waits for work counts in every processor time that is measured."""

from pathlib import Path

import pytest

import adms.service  # noqa: F401  sets the number of threads, which has to be done before numpy loads


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--mutations`: how many spoiled inputs `tests/property/test_mutated_*.py` try together. `--estimation-draws`: on
    how many draws of a feeder `tests/cases/test_estimation_exact.py` compares. `--statistics-draws`: over how many
    `tests/benchmarks/test_estimation_statistics.py` runs. `--day-seconds`, `--day-seed`: how much of a day, and which,
    `tests/benchmarks/test_estimation_day.py` lives through. `--second-engine-step-s`: the step at which
    `tests/cases/test_second_engine.py` goes through a day."""
    parser.addoption("--mutations", type=int, default=200, help="Spoiled model files and decks to try.")
    parser.addoption("--estimation-draws", type=int, default=2, help="Draws on which estimates are compared.")
    parser.addoption("--statistics-draws", type=int, default=1000, help="Draws of the estimator's statistics.")
    parser.addoption("--day-seconds", type=int, default=86400, help="Scans of the estimator's day, one a second.")
    parser.addoption("--day-seed", type=int, default=5, help="Which day.")
    parser.addoption("--second-engine-step-s", type=float, default=60.0, help="Step of a day on two engines.")


@pytest.fixture(scope="session")
def mutations(request: pytest.FixtureRequest) -> int:
    """How many spoiled inputs are tried."""
    return int(request.config.getoption("--mutations"))


@pytest.fixture(scope="session")
def estimation_draws(request: pytest.FixtureRequest) -> int:
    """On how many draws estimates are compared."""
    return int(request.config.getoption("--estimation-draws"))
