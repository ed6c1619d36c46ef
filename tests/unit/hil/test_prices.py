import pytest

from adms.client import InputError
from hil.judging import Terms, read_terms
from hil.prices import price_at, read_prices

GOOD = {
    "currency": "EUR",
    "import_per_kwh": [[0.0, 0.21], [61200.0, 0.38]],
    "export_per_kwh": [[0.0, -0.01]],
}


def test_a_price_stands_from_its_second_on() -> None:
    prices = read_prices(GOOD)
    steps = {t: price_at(prices.import_per_kwh, time_s=t) for t in (0.0, 61199.9, 61200.0, 1e6)}
    assert steps == {0.0: 0.21, 61199.9: 0.21, 61200.0: 0.38, 1e6: 0.38}
    assert prices.export_per_kwh == ((0.0, -0.01),)


def test_everything_wrong_with_prices_is_said_at_once() -> None:
    with pytest.raises(InputError) as refused:
        read_prices({"import_per_kwh": [[10.0, 0.2], [5.0, 0.3]], "tariff": "x"})
    told = "\n".join(str(problem) for problem in refused.value.problems)
    for words in (
        "prices.currency: is missing",
        "prices.import_per_kwh: time_s must grow",
        "prices.import_per_kwh: must begin with the price at feeder second 0",
        "prices.export_per_kwh: is missing",
        "prices.tariff: is not known here",
    ):
        assert words in told
    with pytest.raises(InputError, match="must be a table"):
        read_prices(0.2)


def test_terms_of_judging_are_usual_unless_stated() -> None:
    assert read_terms({}) == Terms()
    assert read_terms({"bad_data_settle_s": 60.0}).bad_data_settle_s == 60.0
    with pytest.raises(InputError, match=r"judging\.der_tolerance_frac: must be from 0 to 1"):
        read_terms({"der_tolerance_frac": 5.0})
