from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from hil.junit import write_junit
from hil.measures.judgement import Verdict
from hil.results import Results
from tests.unit.hil.report.results_case import NASTY, check, results

# The structure that Jenkins' JUnit schema (jenkins-junit.xsd) and GitLab read: element, its attributes (those that
# must be there first), its children.
STRUCTURE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"properties", "testcase"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "testcase": ({"name", "classname"}, {"name", "classname", "time"}, {"failure", "error", "skipped"}),
    "failure": (set(), {"message", "type"}, set()),
    "error": (set(), {"message", "type"}, set()),
    "skipped": (set(), {"message"}, set()),
}


def written(runs: list[Results], folder: Path) -> ElementTree.Element:
    write_junit(runs, folder / "junit.xml")
    root = ElementTree.parse(folder / "junit.xml").getroot()
    assert root.tag == "testsuites"
    _follows(root)
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(count) == str(len(suite.findall(f"testcase/{tag}")))
        assert next(child.tag for child in suite) == "properties"
        assert len({case.get("name") for case in cases}) == len(cases)
    for count in ("tests", "failures", "errors", "skipped"):
        assert root.get(count) == str(sum(int(suite.get(count, "")) for suite in root))
    return root


def _follows(element: ElementTree.Element) -> None:
    needed, known, children = STRUCTURE[element.tag]
    assert needed <= set(element.attrib) <= known
    for child in element:
        assert child.tag in children
        _follows(child)


def test_a_suite_for_each_scenario_and_a_case_for_each_limit(tmp_path: Path) -> None:
    broken = results(checks=(check(verdict=Verdict.BROKEN, text=NASTY, value=2.0),), journal=None)
    root = written([results(began="2026-01-02T03:04:05Z"), replace(broken, scenario="other")], tmp_path)
    assert [suite.get("name") for suite in root] == ["hil.small", "hil.other"]
    first = {case.get("name"): case for case in root[0].findall("testcase")}
    assert list(first) == ["frames_lost", "voltage", "defaults_missed", "round_p99_ms"]
    skipped = first["voltage"].find("skipped")
    assert skipped is not None
    assert "open shortfall: issue 6" in skipped.get("message", "")
    failure = root[1].find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == NASTY
    assert "why this limit: a reason" in (failure.text or "")
    facts = {one.get("name"): one.get("value") for one in root[0].findall("properties/property")}
    assert (facts["seed"], facts["version.adms-lite"]) == ("3", "0.1.0")


def test_a_run_that_judged_nothing_or_whose_journal_is_torn_does_not_look_like_one_that_passed(tmp_path: Path) -> None:
    root = written([results(checks=(), left_out=())], tmp_path)
    assert root.get("errors") == "1"
    torn = written([results(journal={"intact": False, "entries": 2, "reason": "hash differs"})], tmp_path)
    failure = torn.find("testsuite/testcase/failure")
    assert failure is not None
    assert "hash differs" in failure.get("message", "")


def test_text_that_xml_cannot_carry_is_left_out(tmp_path: Path) -> None:
    root = written([results(checks=(check(verdict=Verdict.BROKEN, text="a\x00b\x1bc\ud800"),))], tmp_path)
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "abc"
