"""What a further round does to shares of good and of bad rounds."""

from hypothesis import given, settings
from hypothesis import strategies as st

from adms.client import Grade, RoundReport
from hil.measures import MEASURES, Injections, LyingPoint
from tests.unit.hil.measures.records import found, log, report

LIAR = LyingPoint(point="p_flow_w/line.x/0/1", device="line.x", start_s=0.0, end_s=1e6, text="lies", to_be_named=True)
NAMED = "p_flow_w line.x phase 1"
INNOCENT = "p_flow_w line.y phase 1"
rounds = st.lists(st.tuples(st.sampled_from(list(Grade)), st.booleans(), st.booleans()), min_size=1, max_size=12)


def a_round(k: int, grade: Grade, *, blames: bool, names: bool) -> RoundReport:
    rejected = [NAMED] * names + [INNOCENT] * blames
    return report(100.0 + k, grade=grade, rejected=rejected)


def value(name: str, told: list[RoundReport]) -> float:
    return MEASURES[name].find(found(rounds=log(*told), injections=Injections(points=(LIAR,)))).value


@settings(max_examples=60, deadline=None)
@given(before=rounds)
def test_a_bad_round_never_improves_a_share_and_a_good_one_never_worsens_it(
    before: list[tuple[Grade, bool, bool]],
) -> None:
    told = [a_round(k, grade, blames=blames, names=names) for k, (grade, blames, names) in enumerate(before)]
    good = [*told, a_round(len(told), Grade.SOLVED, blames=False, names=True)]
    failed = [*told, a_round(len(told), Grade.FAILED, blames=True, names=False)]
    contradicted = [*told, a_round(len(told), Grade.INCONSISTENT, blames=True, names=False)]
    for name, bad in (
        ("rounds_without_picture_frac", failed),
        ("rounds_inconsistent_frac", contradicted),
        ("innocents_blamed_frac", failed),
    ):
        assert value(name, good) <= value(name, told) <= value(name, bad)
    for name in ("rounds_trusted_frac", "liars_named_frac"):
        assert value(name, good) >= value(name, told) >= value(name, failed)
        assert value(name, told) >= value(name, contradicted)


@settings(max_examples=60, deadline=None)
@given(before=rounds)
def test_shares_of_rounds_are_shares_and_every_round_is_of_one_kind(before: list[tuple[Grade, bool, bool]]) -> None:
    told = [a_round(k, grade, blames=blames, names=names) for k, (grade, blames, names) in enumerate(before)]
    shares = [
        value(name, told) for name in ("rounds_without_picture_frac", "rounds_inconsistent_frac", "rounds_trusted_frac")
    ]
    assert abs(sum(shares) - 1.0) < 1e-12
    assert all(0.0 <= share <= 1.0 for share in (*shares, value("innocents_blamed_frac", told)))
