"""Which benchmarks belong to a plain run of the suite: those that make nothing ready for seconds."""

from pathlib import Path

import pytest

_ONLY_WHEN_TIMED = (
    "test_against_",
    "test_estimation_against_",
    "test_estimation_day",
    "test_estimation_statistics",
    "test_growth",
    "test_memory",
    "test_estimation_speed",
    "test_estimation_growth",
    "test_estimation_load",
    "test_sunspec_latency",
    "test_plant_speed",
    "test_bench_real_time",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Comparisons with peers and long statistics are collected with --benchmark-enable only."""
    if collection_path.name.startswith(_ONLY_WHEN_TIMED) and not config.getoption("benchmark_enable"):
        return True
    return None
