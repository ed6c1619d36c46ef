import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from adms.adapters.model_file import save_model
from adms.core.errors import InputError
from adms.service.__main__ import main
from adms.service.config import REFERENCE, load_configuration
from tests.unit.runtime.feeders import small_model

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the reference configuration with some text replaced."""
    save_model(small_model(), tmp_path / "feeder.json")

    def _write(*changes: tuple[str, str]) -> Path:
        text = REFERENCE.read_text().replace(":7350", ":0").replace(":7351", ":0")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "service.toml"
        path.write_text(text)
        return path

    return _write


def problems(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_configuration(path)
    return [str(problem) for problem in caught.value.problems]


def test_the_reference_is_complete(write: Write) -> None:
    configuration = load_configuration(write())
    assert configuration.model.name == "small"
    # Shared values stand once in the file and reach every part.
    age_s = configuration.round.telemetry_max_age_s
    assert configuration.estimation.telemetry_max_age_s == age_s
    assert configuration.flisr.interlock.telemetry_max_age_s == age_s
    assert configuration.interlock.der_lease_s == configuration.dispatch.lease_s == configuration.gate.lease_s


def test_every_problem_is_said_at_once(write: Write) -> None:
    path = write(
        ("period_s = 2.0", 'period_s = "2"'),
        ("[dispatch]", "[dispach]"),
        ("soc_max_frac", "soc_max"),
        ("feeder.json", "nowhere.json"),
        ('metrics_listen = "127.0.0.1:0"', 'metrics_listen = "here"'),
        ("renew_s = 20.0", "renew_s = nan"),
    )
    text = "\n".join(problems(path))
    for said in (
        "[round].period_s",
        "[dispach]: no such table; did you mean dispatch?",
        "[dispatch]: table is missing",
        "[interlock].soc_max: no such key; did you mean soc_max_frac?",
        "[interlock].soc_max_frac: is missing",
        "[service].metrics_listen: must be HOST:PORT",
        "[gate].renew_s: must be a finite number",
        "nowhere.json",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("renew_s = 20.0", "renew_s = 3.0", "one lost round lets leases lapse"),
        ("lease_s = 60.0", "lease_s = 30.0", "leases are born too old"),
        ("period_s = 2.0", "period_s = 0.0", "[round].period_s: must be above zero"),
        ("telemetry_max_age_s = 10.0", "telemetry_max_age_s = 1.0", "every picture would be stale"),
        ("simulation = false", "simulation = 1", "[service].simulation"),
    ],
)
def test_what_cannot_work_together_is_refused(write: Write, old: str, new: str, said: str) -> None:
    assert said in "\n".join(problems(write((old, new))))


def test_a_shared_value_is_not_set_twice(write: Write) -> None:
    path = write(("[dispatch]", "[dispatch]\nlease_s = 90.0"))
    assert problems(path) == ["[dispatch].lease_s: is set elsewhere; leave it out here (given: 90.0)"]


def test_a_busy_port_is_said(write: Write) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (problem,) = problems(write(('listen = "127.0.0.1:0"\nmetrics', f'listen = "{address}"\nmetrics')))
    assert problem.startswith("[service].listen: cannot listen there")
    assert address in problem


def test_a_folder_that_cannot_be_made_is_said(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = problems(write(('state_folder = "state"', 'state_folder = "file/state"')))
    assert problem.startswith("[service].state_folder: cannot be made")


@pytest.mark.parametrize(("content", "said"), [(None, "no such file"), ("[service\n", "line 1")])
def test_a_file_that_cannot_be_read_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_text(content)
    assert main(["--config", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
