"""Children never outlive the command."""

import asyncio
import os
from pathlib import Path

import pytest

from adms.cli.processes import Family
from adms.core.errors import AdapterError

# A child that starts a grandchild, says its id, and sits; both ignore the polite request to end.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(grandchild.pid, flush=True)
time.sleep(600)
"""


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A process that has ended and was not waited for is gone too: its parent has ended before it.
    return " Z " in Path(f"/proc/{pid}/stat").read_text()


@pytest.fixture
def stubborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("adms.cli.processes.GRACE_S", 0.1)
    return "stubborn"


async def test_leaving_the_family_ends_grandchildren_too(stubborn: str, tmp_path: Path) -> None:
    async with Family() as family:
        child = await family.start([stubborn], name="stubborn", log=tmp_path / "log")
        grandchild = int(await child.line(timeout_s=30.0))
        assert not _gone(grandchild)
    assert not child.running
    await _until_gone(grandchild)


async def test_a_failure_inside_ends_them_as_well(stubborn: str, tmp_path: Path) -> None:
    seen: list[int] = []

    async def fails() -> None:
        async with Family() as family:
            child = await family.start([stubborn], name="stubborn", log=tmp_path / "log")
            seen.append(int(await child.line(timeout_s=30.0)))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        await fails()
    await _until_gone(seen[0])


async def test_a_child_that_ends_before_it_speaks_is_told_with_its_words(tmp_path: Path) -> None:
    async with Family() as family:
        child = await family.start(["no_such_module_here"], name="service", log=tmp_path / "log")
        with pytest.raises(AdapterError, match="service ended before it was ready"):
            await child.line(timeout_s=30.0)
        await child.wait()
        assert "No module named no_such_module_here" in child.complaints()


async def _until_gone(pid: int) -> None:
    # The kernel delivers SIGKILL to the group and init reaps: wait for facts, bounded.
    async with asyncio.timeout(10.0):
        while not _gone(pid):
            await asyncio.sleep(0.01)
