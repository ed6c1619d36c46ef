"""A line of an OpenDSS deck, read as the engine's parser reads it, and of it only what a deck may do when imported.

The parser takes the first word of a line as the command, whether it stands in quotes or brackets, after an equals sign,
or in a variable. So what is allowed is listed, and not what is forbidden, and the engine gets every line in a form in
which it can only be read as it was read here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_QUOTES: Mapping[str, str] = {'"': '"', "'": "'", "(": ")", "[": "]", "{": "}"}
_BLANKS = " \t"
_SEPARATORS = ",="

_COMMANDS = """
new edit more m ~ select set solve clear clearall calcvoltagebases setkvbase makebuslist reprocessbuses buildy init
reset open close enable disable batchedit remove reduce makeposseq rephase interpolate allocateloads reconductor var
setloadandgenkv buscoords latlongcoords giscoords setbusxy updatestorage cleanup redirect compile
"""
_OPTIONS = """
type element class object circuit mode hour h sec time stepsize year number random frequency tolerance maxiterations
miniterations maxcontroliter loadmodel loadmult normvminpu normvmaxpu emergvminpu emergvmaxpu %mean %stddev ldcurve
%growth genkw genpf genmult capkvar addtype allowduplicates zonelock ueweight lossweight ueregs lossregs voltagebases
algorithm trapezoidal autobuslist controlmode defaultdaily defaultyearly allocationfactors cktmodel pricesignal
pricecurve terminal basefrequency harmonics bus keeplist reduceoption %normal cfactors numallociterations keepload zmag
defaultbasefrequency loadshapeclass earthmodel neglectloady seasonrating seasonsignal linetypes longlinecorrection
"""
ALLOWED = frozenset(_COMMANDS.split())
"""Commands that make, switch or solve a network, and read files of it. None of them writes, shows or runs anything."""
ALLOWED_OPTIONS = frozenset(_OPTIONS.split())
"""Options of `set` and `solve` that change the network or how it is solved. Others concern drawings, reports, folders,
programs and threads."""
_RUNS_OR_WRITES = ("usermodel", "userdata", "shaftmodel", "shaftdata", "dynadll", "debugtrace")
"""Properties that load machine code of the deck's author, or write a file."""
_SHORTEST = 3
"""Letters of such a property from which it is known; of fewer the engine takes the first property that they fit."""
_WRITING_ACTIONS = ("s", "d", "z", "@")
"""Of shapes, monitors and meters: save, sngsave, dblsave, dump, zonedump, or what a variable holds. The engine takes
abbreviations. Those of switches are to open, close, trip."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """A value, with the name that stands before an equals sign."""

    name: str
    """Empty where there is none."""
    value: str
    """Without its quotes."""
    start: int
    """Where it begins in the line, its name included."""
    stop: int
    """Where it ends, with its quotes."""
    rest: int
    """Where the next one may begin."""


def words(line: str) -> Iterator[Word]:
    """The words of a line up to its comment."""
    at = 0
    while True:
        at = _past_blanks(line, at)
        if _ends(line, at):
            return
        start = at
        value, stop, at, separator = _token(line, at)
        name = ""
        if separator == "=":
            name = value
            value, stop, at, _ = _token(line, at)
        yield Word(name=name, value=value, start=start, stop=stop, rest=at)


def full_name(word: str, names: Sequence[str]) -> str:
    """What the engine understands by a word, in lower case: it itself, or the first name that it abbreviates; else
    empty."""
    word = word.lower()
    known = [name.lower() for name in names]
    if word in known:
        return word
    return next((name for name in known if word and name.startswith(word)), "")


def with_allowed_options(verb: str, given: Sequence[Word], line: str, options: Sequence[str]) -> tuple[str, list[str]]:
    """A `set` or `solve` with its allowed options only, and what was left out.

    Args:
        verb: set or solve.
        given: the words after it.
        line: in which they are.
        options: all that the engine has, in its order.
    """
    kept, left = [verb], []
    for word in given:
        name = full_name(word.name, options)
        if name in ALLOWED_OPTIONS:
            value = line[word.start : word.stop].partition("=")[2].strip()
            kept.append(f"{name}={value}")
        else:
            left.append(f"the option {name}" if name else "an option without a known name")
    return " ".join(kept), left


def without_writing(given: Sequence[Word], line: str, *, start: int) -> tuple[str, list[str]]:
    """A line from `start` without the properties that would load a program or write a file, and those."""
    kept, left, at = [], [], start
    for word in given:
        name = word.name.rpartition(".")[2].lower()
        if len(name) >= _SHORTEST and (
            any(each.startswith(name) for each in _RUNS_OR_WRITES)
            or ("action".startswith(name) and word.value.lower().startswith(_WRITING_ACTIONS))
        ):
            kept.append(line[at : word.start])
            at = word.rest
            left.append(f"the property {name}")
    return "".join([*kept, line[at:]]).strip(), left


def _token(line: str, at: int) -> tuple[str, int, int, str]:
    """(value, where it ends, where the next may begin, what separates them)."""
    at = _past_blanks(line, at)
    closing = _QUOTES.get(line[at : at + 1])
    if closing is not None:
        end = line.find(closing, at + 1)
        value, stop = (line[at + 1 :], len(line)) if end < 0 else (line[at + 1 : end], end + 1)
    else:
        stop = at
        while stop < len(line) and line[stop] not in _BLANKS + _SEPARATORS and not _ends(line, stop):
            stop += 1
        value = line[at:stop]
    after = _past_blanks(line, stop)
    if after < len(line) and line[after] in _SEPARATORS:
        return value, stop, after + 1, line[after]
    return value, stop, after, " "


def _past_blanks(line: str, at: int) -> int:
    while at < len(line) and line[at] in _BLANKS:
        at += 1
    return at


def _ends(line: str, at: int) -> bool:
    return at >= len(line) or line[at] == "!" or line.startswith("//", at)
