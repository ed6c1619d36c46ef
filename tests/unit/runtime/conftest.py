"""A rig with its telemetry source and controllers connected."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.unit.runtime.rigs import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterable[Rig]:
    rig = Rig(tmp_path / "j")
    rig.connect()
    yield rig
    rig.kill()
