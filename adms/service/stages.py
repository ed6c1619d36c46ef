"""The pure parts bound to the configuration."""

from functools import partial

from adms.apps import dispatch, flisr, interlock, voltvar
from adms.core.commands import App
from adms.grid.arrays import NetworkArrays
from adms.grid.reported import reported_grid
from adms.runtime.stages import AppStage, Stages
from adms.service.config import Configuration
from adms.service.scan import Scan


def bound_stages(configuration: Configuration, *, arrays: NetworkArrays) -> Stages:
    """Positions, estimator, apps and interlock of one feeder. Apps run in the order of their urgency."""
    max_age_s = configuration.round.telemetry_max_age_s
    return Stages(
        read_positions=partial(reported_grid, arrays=arrays, max_age_s=max_age_s),
        estimate=Scan(
            arrays,
            estimation=configuration.estimation,
            forecast=configuration.forecast,
            hypotheses=configuration.positions,
        ),
        apps=(
            AppStage(
                app=App.FLISR,
                decide=partial(flisr.decide, policy=configuration.flisr),
                initial=flisr.FlisrState.initial(),
            ),
            AppStage(
                app=App.DISPATCH,
                decide=partial(dispatch.decide, policy=configuration.dispatch),
                initial=dispatch.DispatchState.initial(),
            ),
            AppStage(
                app=App.VOLTVAR,
                decide=partial(voltvar.decide, policy=configuration.voltvar),
                initial=voltvar.VoltVarState.initial(),
            ),
        ),
        check=partial(interlock.check_step, policy=configuration.interlock),
    )
