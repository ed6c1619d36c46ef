"""`hil conformance` as a person and a build server use it."""

import argparse
import json
import socket
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hil.conformance.cli import add_parser, choose_rules, conformance, read_timing
from hil.conformance.report import print_table, write_html, write_junit
from hil.conformance.rulebook import FULL, QUICK
from hil.conformance.rules import Standing, Verdict
from hil.conformance.run import Conformance
from hil.conformance.seen import Sample
from hil.conformance.timing import Timing


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="command"))
    return conformance(parser.parse_args(["conformance", *words]))


def test_a_good_client_passes_and_the_findings_are_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = f"{sys.executable} -m hil.conformance.reference_client --endpoint {{endpoint}} --memory {tmp_path / 'm'}"
    files = ["--junit", str(tmp_path / "c.xml"), "--report", str(tmp_path / "c.html")]
    code = run("--client-command", client, "--rules", "REG1,TEL1", "--json", *files)
    out = capfd.readouterr().out
    assert code == 0, out
    found = json.loads(out)
    assert [(rule["rule"], rule["standing"]) for rule in found["rules"]] == [("REG1", "passed"), ("TEL1", "passed")]
    assert found["device_id"] == "der.reference"
    assert (tmp_path / "c.html").read_text().count("<svg") == 1
    suite = ElementTree.parse(tmp_path / "c.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")


def test_a_client_that_ends_fails_at_once_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code = run("--client-command", f"{sys.executable} -c 'raise SystemExit(3)' {{endpoint}}", "--rules", "REG1,EXP1")
    assert code == 1
    out = capsys.readouterr().out
    assert "its process ended with code 3" in out
    assert "0 passed, 1 failed, 1 not applicable" in out


def test_nobody_who_comes_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--allow", "begin_s=0.1", "--rules", "REG1", "--device", "der.x") == 1
    assert "a registration of device der.x within 0.1 s" in capsys.readouterr().out


def test_bad_input_is_told_all_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(
        *("--listen", "nowhere", "--rules", "EXP1,ABC9", "--allow", "settle_s=soon", "--allow", "lease=3"),
        *("--client-command", "client --there", "--report", str(tmp_path / "no" / "c.html")),
    )
    assert code == 2
    said = capsys.readouterr().err
    for word in ("--listen", "ABC9", "settle_s", "lease=3", "{endpoint}", "--report"):
        assert word in said


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_an_allowance_that_never_ends_or_never_begins_is_refused(value: str) -> None:
    assert run("--allow", f"settle_s={value}") == 2


def test_an_address_that_is_taken_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run("--listen", f"127.0.0.1:{taken.getsockname()[1]}") == 2
    assert "cannot listen on" in capsys.readouterr().err


def test_a_command_that_cannot_be_started_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--client-command", "/no/such/client {endpoint}") == 2
    assert "cannot start /no/such/client" in capsys.readouterr().err


def test_the_rules_are_listed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    out = capsys.readouterr().out
    assert all(rule.rule_id in out and rule.source in out for rule in FULL)
    assert "fall_back_s = 5" in out


def findings() -> Conformance:
    standings = (Standing.PASSED, Standing.FAILED, Standing.NOT_APPLICABLE)
    verdicts = tuple(
        Verdict(rule=rule, standing=standing, expected="<b>10 W</b>", seen="[red]\x00&", at_s=2.0 * i + 2, took_s=2.0)
        for i, (rule, standing) in enumerate(zip(FULL, standings, strict=False))
    )
    samples = tuple(
        Sample(measure_s=100.0 + i, arrival_s=100.0 + i, p_w=1e3 * i, q_var=0.0, p_available_w=0.0) for i in range(4)
    )
    return Conformance(
        endpoint="h:1",
        device_id="der.x",
        controller_id="x",
        timing=Timing(),
        verdicts=verdicts,
        samples=samples,
        start_s=100.0,
        wall_s=6.0,
    )


def test_what_a_client_says_is_never_mark_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    write_html(findings(), path=tmp_path / "c.html")
    html = (tmp_path / "c.html").read_text()
    assert "&lt;b&gt;10 W" in html
    assert "<b>10 W" not in html
    write_junit(findings(), path=tmp_path / "c.xml")
    suite = ElementTree.parse(tmp_path / "c.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    print_table(findings(), console=Console(width=200))
    out = capsys.readouterr().out
    assert "[red]" in out
    assert "1 passed, 1 failed, 1 not applicable" in out


def test_a_run_in_which_nothing_could_be_tried_has_not_passed() -> None:
    from dataclasses import replace

    skipped = replace(findings(), verdicts=findings().verdicts[2:])
    assert skipped.count(Standing.FAILED) == 0
    assert not skipped.passed


def test_the_quick_set_is_shorter_unless_other_allowances_are_asked_for() -> None:
    quick = read_timing([], quick=True, problems=[])
    asked = read_timing(["watch_s=7"], quick=True, problems=[])
    assert quick is not None
    assert asked is not None
    assert quick.watch_s < Timing().watch_s
    assert asked.watch_s == 7.0
    assert choose_rules("", quick=True, problems=[]) == QUICK
    assert set(QUICK) < set(FULL)
