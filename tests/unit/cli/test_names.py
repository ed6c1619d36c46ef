"""Element names as people type them. Names are those of the IEEE 123-bus deck."""

import pytest

from adms.cli.names import full_name
from adms.core.errors import InputError

KNOWN = ("line.l67", "line.l68", "line.sw2", "switch.sw2", "transformer.reg1a")


@pytest.mark.parametrize(
    ("typed", "meant"), [("l67", "line.l67"), ("LINE.L67", "line.l67"), (" reg1a ", "transformer.reg1a")]
)
def test_a_short_name_means_the_only_element_called_so(typed: str, meant: str) -> None:
    assert full_name(typed, known=KNOWN, field="--fault") == meant


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(InputError, match=r"line\.sw2, switch\.sw2"):
        full_name("sw2", known=KNOWN, field="--open")


def test_an_unknown_name_offers_near_ones() -> None:
    with pytest.raises(InputError, match=r"--fault.*no such element; near: line\.l6[78]"):
        full_name("l66", known=KNOWN, field="--fault")
