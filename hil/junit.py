"""JUnit XML for CI: a suite for each scenario, a case for each limit; an open shortfall is skipped and says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from hil.results import CheckResult, Results, Standing

_SKIPPED = (Standing.OPEN, Standing.NOT_JUDGED)


def write_junit(results: Sequence[Results], path: Path) -> None:
    """Write the file. Elements and attributes are those that common readers (Jenkins, GitLab) know; a suite's time is
    the wall time of its run, a case has none of its own."""
    suites = [_suite(run) for run in results]
    root = ElementTree.Element("testsuites", name="hil")
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    root.extend(suites)
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _suite(run: Results) -> ElementTree.Element:
    wall_s = run.measured.wall_s if run.measured.wall_s == run.measured.wall_s else 0.0
    # A run that judged nothing shows nothing: it must not look like one that passed.
    errors = 0 if run.all_checks else 1
    torn = int(run.journal_broken)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"hil.{run.scenario}"),
        tests=str(len(run.all_checks) + errors + torn),
        failures=str(run.count(Standing.BROKEN) + torn),
        errors=str(errors),
        skipped=str(sum(run.count(standing) for standing in _SKIPPED)),
        time=f"{wall_s:.3f}",
    )
    # Jenkins' schema has local time without a zone here.
    if run.measured.began:
        suite.set("timestamp", _xml(run.measured.began[:19]))
    properties = ElementTree.SubElement(suite, "properties")
    facts = {"title": run.title, "feeder": run.feeder, "seed": str(run.seed), "command": run.command}
    facts |= {f"version.{name}": version for name, version in run.versions.items()}
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", name=_xml(name), value=_xml(value))
    for check in run.all_checks:
        suite.append(_case(run, check))
    if run.journal is not None and torn:
        case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name="journal", time="0.000")
        said = f"the service's journal is not whole: {run.journal.reason}"
        ElementTree.SubElement(case, "failure", message=_xml(said), type="journal_broken")
    if errors:
        case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name="limits", time="0.000")
        ElementTree.SubElement(case, "error", message="no limit was judged", type="nothing_judged")
    return suite


def _case(run: Results, check: CheckResult) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=_xml(f"hil.{run.scenario}"), name=_xml(check.name), time="0.000")
    limit = f"value {check.value:.6g}, limit {check.limit:.6g} {check.unit}".rstrip()
    if check.standing is Standing.BROKEN:
        failure = ElementTree.SubElement(case, "failure", message=_xml(check.text), type="limit_broken")
        failure.text = _xml(f"{check.text}\n{limit}\nwhy this limit: {check.reason}\nto repeat it: {run.command}")
    elif check.standing is Standing.OPEN:
        said = f"open shortfall: {check.shortfall} ({check.text}; {limit})"
        ElementTree.SubElement(case, "skipped", message=_xml(said))
    elif check.standing is Standing.NOT_JUDGED:
        ElementTree.SubElement(case, "skipped", message=_xml(f"not judged: {check.text}"))
    return case


def _xml(text: str) -> str:
    """What XML 1.0 can carry."""
    return "".join(
        c for c in text if c in "\t\n\r" or (" " <= c <= "\ud7ff") or ("\ue000" <= c <= "\ufffd") or c > "\uffff"
    )
