"""Names that a person may have meant."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, kw_only=True)
class NotFound:
    """No name, or several, where one was meant."""

    message: str


def short_name(name: str) -> str:
    """Without the class: `l67` of `line.l67`."""
    return name.partition(".")[2] or name


def near_names(wanted: str, *, known: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Known names that look like the wanted one, with or without their class, nearest first."""
    by_short: dict[str, str] = {}
    for name in known:
        by_short.setdefault(name.lower(), name)
        by_short.setdefault(short_name(name).lower(), name)
    found = get_close_matches(wanted.strip().lower()[:100], list(by_short), n=2 * count)
    return tuple(dict.fromkeys(by_short[name] for name in found))[:count]


def unknown(what: str, wanted: str, *, known: Iterable[str]) -> str:
    """ "no such load", and what may have been meant."""
    near = near_names(wanted, known=known)
    return f"no such {what}" + (f"; near: {', '.join(near)}" if near else "")


class NameIndex:
    """Known names, looked up as people type them: in any case, or without their class where only one is called so."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)
        self._exact = frozenset(self.known)
        self._lowered: dict[str, list[str]] = {}
        self._short: dict[str, list[str]] = {}
        for name in self.known:
            self._lowered.setdefault(name.lower(), []).append(name)
            self._short.setdefault(short_name(name).lower(), []).append(name)

    def matches(self, wanted: str) -> list[str]:
        """Names that are meant: the very one, else those equal but for case, else those without their class."""
        if wanted in self._exact:
            return [wanted]
        lowered = wanted.strip().lower()
        return self._lowered.get(lowered) or self._short.get(lowered) or []

    def find(self, wanted: str, *, what: str) -> str | NotFound:
        """The one that is meant, or near ones."""
        matches = self.matches(wanted)
        if len(matches) == 1:
            return matches[0]
        if matches:
            return NotFound(message=f"names {len(matches)}: {', '.join(matches[:5])}")
        return NotFound(message=unknown(what, wanted, known=self.known))


def find_name(wanted: str, *, known: Iterable[str], what: str) -> str | NotFound:
    """The known name that is meant: in any case, or without its class where only one is called so."""
    names = tuple(known)
    return wanted if wanted in names else NameIndex(names).find(wanted, what=what)
