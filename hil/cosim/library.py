"""The HELICS library, imported by the first that needs it, and what can go wrong with a federation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adms.client import InputError, Problem


class CosimError(Exception):
    """The co-simulation cannot go on; the text is a reason that a person can act on."""


def helics() -> Any:
    """The library. Raises InputError, with what to do, where it is not installed or does not run."""
    try:
        import helics as library
    except (ImportError, OSError) as missing:
        message = f"needs HELICS: pip install 'adms-lite[cosim]' ({missing})"
        raise InputError([Problem(element="[cosim]", field="", value="", message=message)]) from missing
    return library


def in_words(problem: Exception) -> str:
    """HELICS' own words without its error number."""
    text = str(problem)
    return text.partition("] ")[2] if text.startswith("[") and "] " in text else text


def publish_phasors(library: Any, publication: Any, phasors: Sequence[complex]) -> None:
    """Publish a complex vector. Not by the package's own function: that of 3.6.1 tells HELICS twice the length, and
    what lies behind the numbers in memory goes out with them."""
    error = library.capi.helicsErrorInitialize()
    flat = [part for phasor in phasors for part in (phasor.real, phasor.imag)]
    library.capi.loadSym("helicsPublicationPublishComplexVector")(publication.handle, flat, len(phasors), error)
    if error.error_code != 0:
        raise library.HelicsException(f"[{error.error_code}] a complex vector was not published")
