"""The product's verdicts on positions, as the studies of wrong positions ask for them."""

from dataclasses import replace
from datetime import timedelta

from adms.core.positions import PositionVerdict, Standing
from adms.core.telemetry import FloatArray
from adms.estimation.hypotheses import weighed
from adms.estimation.hypotheses_belief import PositionBelief
from adms.estimation.hypotheses_policy import HypothesisPolicy
from tests.estimation_study.draws import scan_of
from tests.estimation_study.studies import Study
from tests.estimation_study.wrong_positions import OR, UNDECIDABLE, NameSwitch, NameTap

HYPOTHESES = HypothesisPolicy(
    least_odds=100.0,
    alarm_probability=0.001,
    odds_apart=20.0,
    naming_probability=0.95,
    voltage_bias_frac=0.0,
    power_bias_frac=0.0,
    bad_meter_odds=0.1,
    gross_error_sigmas=300.0,
    misfit_probability=1e-4,
    window_scans=60,
    exact_each_scan=40,
)


class Positions:
    """`weighed`, scan after scan, one second apart."""

    def __init__(self, study: Study, hypotheses: HypothesisPolicy = HYPOTHESES) -> None:
        self._study = study
        self._hypotheses = hypotheses
        self._state: PositionBelief | None = None
        self._scans = 0

    def __call__(self, value: FloatArray) -> tuple[PositionVerdict, ...]:
        """Readings [point] of the next scan."""
        study = self._study
        taken = scan_of(study.arrays, study.plan, value=value)
        taken = replace(taken, cut_time=taken.cut_time + timedelta(seconds=self._scans))
        self._scans += 1
        self._state, verdicts = weighed(
            self._state,
            snapshot=taken,
            arrays=study.arrays,
            grid=study.grid,
            prior=study.prior,
            policy=study.policy,
            hypotheses=self._hypotheses,
        )
        return verdicts


def named(verdicts: tuple[PositionVerdict, ...]) -> str | None:
    """Devices that are named wrong, joined where the meters cannot tell them apart."""
    wrong = [v.device for v in verdicts if v.standing is Standing.WRONG]
    return OR.join(wrong) or None


def switch_by_odds(study: Study) -> NameSwitch:
    """Of each scan by itself."""
    return lambda value: named(Positions(study)(value))


def tap_by_odds(study: Study, changer: str, *, voltage_bias_frac: float = 0.0) -> NameTap:
    """Scan after scan: the devices that are named, or that the changer's position is undecidable.

    Args:
        study: the feeder.
        changer: the one that is asked about.
        voltage_bias_frac: what is believed of the voltage meters' constant errors.
    """
    positions = Positions(study, replace(HYPOTHESES, voltage_bias_frac=voltage_bias_frac))

    def name(value: FloatArray) -> str | None:
        verdicts = positions(value)
        mine = next(v for v in verdicts if v.device == changer)
        return named(verdicts) or (UNDECIDABLE if mine.standing is Standing.UNDECIDABLE else None)

    return name
