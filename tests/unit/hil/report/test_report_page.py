import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adms.client import InputError
from hil.compare import compare
from hil.compare_page import write_comparison
from hil.index_page import write_index
from hil.plain_words import clock, sentences
from hil.report import report, write_html, write_report
from hil.results import Results
from hil.results_file import write_results
from tests.unit.hil.report.results_case import NASTY, check, results, run


class Reading(HTMLParser):
    """Elements and whatever they would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "srcset", "data", "poster", "background"} or (name.endswith("href") and tag != "a"):
                self.loads.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            assert not name.startswith("on"), name

    def handle_data(self, data: str) -> None:
        self.shown += data


def read(path: Path) -> Reading:
    html = path.read_text()
    page = Reading()
    page.feed(html)
    styles = "".join(re.findall(r"<style.*?</style>", html, re.DOTALL))
    assert "@import" not in styles
    assert not re.search(r"url\((?!['\"]?#)", html)
    return page


def stands_alone(page: Reading) -> None:
    assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "img", "base", "form"})
    # A fragment of the page itself, or a picture within it.
    assert all(load.startswith(("#", "data:image/png;base64,")) for load in page.loads)


def test_every_page_stands_alone_and_shows_names_as_they_are(tmp_path: Path) -> None:
    found = results()
    write_html(found, path=tmp_path / "report.html")
    write_index([found], tmp_path / "index.html")
    write_comparison(compare(found, found), found, found, path=tmp_path / "compare.html")
    for name in ("report.html", "index.html", "compare.html"):
        page = read(tmp_path / name)
        stands_alone(page)
        assert NASTY in page.shown, name
    # The parser sees through an escaped script: the raw text has none either.
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_the_report_says_the_verdict_the_limits_and_how_to_repeat_it(tmp_path: Path) -> None:
    write_html(results(), path=tmp_path / "report.html")
    shown = read(tmp_path / "report.html").shown
    for words in (
        "All other limits held, 1 open shortfall",
        "found voltage",
        "Not held yet, because issue 6",
        "hil run small --seed 3",
        "a reason",
        "adms-lite 0.1.0",
        "12 entries",
        "the service was there",
    ):
        assert words in shown, words


def test_the_report_is_made_again_from_the_record_alone_and_is_the_same(tmp_path: Path) -> None:
    made = run()
    write_report(made, path=tmp_path / "first.html")
    write_results(results(), path=tmp_path / "results.json")
    again = report(tmp_path, tmp_path / "deep" / "page.html")
    assert again.read_text() == (tmp_path / "first.html").read_text()


def test_a_folder_of_runs_is_made_again_with_its_page(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_results(replace(results(), scenario=name), path=tmp_path / name / "results.json")
    assert report(tmp_path) == tmp_path / "index.html"
    assert (tmp_path / "two" / "report.html").is_file()
    for link in read(tmp_path / "index.html").links:
        assert (tmp_path / link).is_file()


def test_nothing_to_report_on_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results\.json in it"):
        report(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text("{}")
    with pytest.raises(InputError) as refused:
        report(tmp_path)
    assert len(refused.value.problems) == 2


def test_a_run_that_was_never_alive_still_has_a_report(tmp_path: Path) -> None:
    """Without estimate, idle run, rounds, faults or a scan that was calm."""
    bare = results(idle=None, estimates=[], rounds=(), faults=(), actuations=(), checks=(check(),), journal=None)
    dark = replace(bare.run, v_min_pu=replace(bare.run.v_min_pu, value=(float("nan"),) * 10))
    write_html(replace(bare, run=dark), path=tmp_path / "report.html")
    assert "Doing nothing" not in read(tmp_path / "report.html").shown


def test_the_index_names_each_open_shortfall_and_counts_them(tmp_path: Path) -> None:
    runs: list[Results] = [replace(results(), scenario=name) for name in ("one", "two")]
    write_index(runs, tmp_path / "index.html")
    shown = read(tmp_path / "index.html").shown
    assert "Open shortfalls: 2" in shown
    assert shown.count("issue 6") == 2
    twin = json.loads((tmp_path / "index.json").read_text())
    assert twin["shortfalls"] == [{"scenario": name, "limit": "voltage", "why": "issue 6"} for name in ("one", "two")]
    assert (twin["held"], twin["shortfall_count"], len(twin["runs"])) == (True, 2, 2)


def test_the_story_in_sentences() -> None:
    said = sentences(results())
    # By hand: left alone, 5 customers are off for 40 s, 3.3 min; with the service none is.
    assert "0 customer minutes were lost (3 min without the service)." in said
    assert any(sentence.startswith("Open shortfall: voltage: found voltage (issue 6)") for sentence in said)
    assert any("1 fault was put into the field's equipment" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("time_s", "shown"), [(0.0, "0:00"), (185.0, "3:05"), (180.7, "3:00.7"), (59.96, "1:00"), (50583.0, "14:03:03")]
)
def test_feeder_time_as_a_clock(time_s: float, shown: str) -> None:
    assert clock(time_s) == shown
