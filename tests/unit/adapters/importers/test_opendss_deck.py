"""What a deck may do while it is imported: whatever way a command is written, only a network comes of it."""

from pathlib import Path

import dss
import pytest

from adms.adapters.importers.opendss import import_opendss
from adms.adapters.importers.opendss_words import ALLOWED, ALLOWED_OPTIONS, full_name, words
from adms.core.errors import InputError
from adms.grid.model import NetworkModel

NETWORK = (
    "clear\nnew circuit.c basekv=12.47 bus1=a\nnew line.l bus1=a bus2=b length=1 units=km\n"
    "new load.x bus1=b kv=12.47 kw=100\nset voltagebases=[12.47]\ncalcvoltagebases\nsolve\n"
)


def _imported(folder: Path, text: str) -> NetworkModel:
    deck = folder / "deck.dss"
    deck.write_text(NETWORK + text)
    return import_opendss(deck)


# Each of them makes the engine itself write the file (tried with dss-python 0.15.7), but the last two.
@pytest.mark.parametrize(
    "line",
    [
        "export voltages {file}",
        '"export" voltages {file}',
        "'exp' voltages {file}",
        "(export)voltages {file}",
        "[export] voltages {file}",
        "{{export}} voltages {file}",
        "=export voltages {file}",
        "\texport,voltages,{file}",
        '"save" circuit dir={file}',
        "var @c=export\n@c voltages {file}",
        'var @c=save\n"@c" circuit dir={file}',
        "redirect more.dss",
        "var @f=more.dss\nredirect @f",
        '"compile" (more.dss)',
        ",export voltages {file}",
        "/* a comment */ export voltages {file}",
    ],
)
def test_no_way_of_writing_a_command_makes_an_import_write(tmp_path: Path, line: str) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (tmp_path / "more.dss").write_text(f'"export" voltages {precious}\n"save" circuit dir={tmp_path}\n')
    model = _imported(tmp_path, line.format(file=precious))
    assert precious.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deck.dss", "more.dss", "precious.txt"]
    assert any("left out" in note for note in model.notes) == (not line.startswith("/*"))


@pytest.mark.parametrize(
    "line",
    [
        "new generator.g bus1=b kv=12.47 kw=10 usermodel={file}",
        "new generator.g bus1=b kv=12.47 kw=10\ngenerator.g.shaftmodel={file}",
        "new pvsystem.p bus1=b kv=12.47 pmpp=10 kva=10 'user'={file}",
        "new storage.s bus1=b kv=12.47 kwrated=10 kwhrated=20 dynadll=({file})",
    ],
)
def test_machine_code_of_a_deck_is_not_loaded(tmp_path: Path, line: str) -> None:
    # Without the filter the engine refuses the deck: there is no such library.
    model = _imported(tmp_path, line.format(file=tmp_path / "none.so"))
    assert any("the property" in note and "left out" in note for note in model.notes)
    assert len(model.ders) == 1


def test_actions_and_traces_that_write_are_left_out_and_those_that_switch_are_done(tmp_path: Path) -> None:
    text = "new loadshape.s npts=2 mult=(1 2) action=dblsave\nedit loadshape.s act=sngsave\nloadshape.s.action=dbl\n"
    text += "new swtcontrol.w switchedobj=line.l action=open\n"
    text += "new generator.g bus1=b kv=12.47 kw=10 debugtrace=yes\n"
    notes = [note for note in _imported(tmp_path, text).notes if note.endswith("is left out")]
    assert notes == [
        "deck.dss:8: the property action is left out",
        "deck.dss:9: the property act is left out",
        "deck.dss:10: the property action is left out",
        "deck.dss:12: the property debugtrace is left out",
    ]


def test_options_that_change_folders_programs_or_reports_are_left_out(tmp_path: Path) -> None:
    text = f'set "datapath"={tmp_path} loadmult=0.5\nset editor=(touch run) demand=yes\nset , , 3\n'
    text += "solve mode=snap log=yes\n"
    notes = [note for note in _imported(tmp_path, text).notes if note.endswith("is left out")]
    assert notes == [
        "deck.dss:8: the option datapath is left out",
        "deck.dss:9: the option editor is left out",
        "deck.dss:9: the option demandinterval is left out",
        *["deck.dss:10: an option without a known name is left out"] * 2,
        "deck.dss:11: the option log is left out",
    ]


def test_a_command_that_there_is_not_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"deck\.dss:8: unknown command"):
        _imported(tmp_path, "nosuch thing\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("new line.l, bus1 = a  bus2=(b c) ! no", [("", "new"), ("", "line.l"), ("bus1", "a"), ("bus2", "b c")]),
        ("'x'=\"1 = 2\",[3,4]//no", [("x", "1 = 2"), ("", "3,4")]),
        ("=export voltages", [("", "export"), ("", "voltages")]),
        ("(open", [("", "open")]),
        (" \t! no", []),
    ],
)
def test_words_are_told_apart_as_the_engine_does(line: str, expected: list[tuple[str, str]]) -> None:
    assert [(word.name, word.value) for word in words(line)] == expected


# The engine says "Edit Command" of e, "Export command" of exp; the others by the order of its list.
@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("e", "edit"),
        ("EXP", "export"),
        ("s", "select"),
        ("sa", "save"),
        ("sol", "solve"),
        ("c", "compile"),
        ("cl", "close"),
        ("v", "voltages"),
        ("var", "var"),
        ("m", "m"),
        ("exports", ""),
        ("", ""),
    ],
)
def test_an_abbreviation_is_what_the_engine_takes_it_for(word: str, command: str) -> None:
    executive = dss.DSS.NewContext().Executive
    assert full_name(word, [executive.Command(i + 1) for i in range(executive.NumCommands)]) == command


def test_what_is_allowed_exists_in_the_engine() -> None:
    executive = dss.DSS.NewContext().Executive
    commands = {executive.Command(i + 1).lower() for i in range(executive.NumCommands)}
    options = {executive.Option(i + 1).lower() for i in range(executive.NumOptions)}
    assert commands >= ALLOWED
    assert options >= ALLOWED_OPTIONS


@pytest.mark.parametrize(
    "line",
    [
        "redirect ../secret.txt",
        "redirect link.dss",
        "new loadshape.s npts=3 csvfile=../secret.txt",
        "new loadshape.s npts=3\n~ csvf=../secret.txt",
        "new xycurve.s npts=3 csvfile=../secret.txt",
        "new growthshape.s npts=3\ngrowthshape.s.csvfile=../secret.txt",
        "new spectrum.s 3 () () () {folder}/secret.txt",
        "var @f={folder}/secret.txt\nnew tshape.s npts=3 csvfile=@f",
        "new linecode.s nphases=3 rmatrix=[file=../secret.txt]",
        "buscoords ../secret.txt",
    ],
)
def test_what_stands_in_a_file_outside_the_decks_folder_is_not_repeated(tmp_path: Path, line: str) -> None:
    (tmp_path / "deck").mkdir()
    (tmp_path / "secret.txt").write_text("hidden:x:0:0:hidden:/hidden\nnew hidden.hidden\nredirect hidden\n")
    (tmp_path / "deck" / "link.dss").symlink_to(tmp_path / "secret.txt")
    try:
        said = "\n".join(_imported(tmp_path / "deck", line.format(folder=tmp_path)).notes)
    except InputError as refused:
        said = str(refused)
        assert "deck.dss:" in said or "secret.txt:1: " in said
    assert "hidden" not in said
