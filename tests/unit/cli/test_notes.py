"""Notes are told by kind."""

from adms.cli.notes import SHOWN_KINDS, grouped, note_lines


def test_notes_that_differ_in_a_number_are_of_one_kind() -> None:
    notes = ["load.a: rated 3.5 kW", "line.x: odd", "load.b: rated 12 kW"]
    assert grouped(notes) == [("such as rated 3.5 kW", ["load.a", "load.b"]), ("odd", ["line.x"])]


def test_no_note_is_lost_in_silence() -> None:
    notes = [f"load.a{k}: {'x' * (k + 1)}" for k in range(SHOWN_KINDS + 7)]
    lines = list(note_lines(notes, word="note", every=False))
    assert lines[-2:] == ["note: and 7 more", "(all of them: --notes all)"]
    assert list(note_lines(notes, word="note", every=True)) == [f"note: {note}" for note in notes]


def test_one_note_is_told_as_it_is() -> None:
    assert list(note_lines(["line.x: odd"], word="warning", every=False)) == ["warning: line.x: odd"]
