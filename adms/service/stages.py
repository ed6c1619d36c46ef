"""The pure parts bound to the configuration."""

from typing import Any

from adms.apps import dispatch, flisr, interlock, voltvar
from adms.apps.view import Decision, RoundView
from adms.core.commands import App, Proposal
from adms.core.estimate import Estimate, NotEstimated
from adms.core.telemetry import TelemetrySnapshot
from adms.estimation import estimate, prior_from_model
from adms.grid.arrays import NetworkArrays
from adms.grid.reported import reported_grid
from adms.grid.state import GridState
from adms.runtime.stages import AppStage, Positions, Stages, Verdict
from adms.service.config import Configuration


def bound_stages(configuration: Configuration, *, arrays: NetworkArrays) -> Stages:
    """Positions, estimator, apps and interlock of one feeder. Apps run in the order of their urgency."""
    prior = prior_from_model(arrays, configuration.estimation)
    max_age_s = configuration.round.telemetry_max_age_s

    def read_positions(snapshot: TelemetrySnapshot, *, previous: GridState) -> Positions:
        found = reported_grid(snapshot, arrays=arrays, previous=previous, max_age_s=max_age_s)
        return Positions(grid=found.grid, unknown=found.unknown)

    def scan(snapshot: TelemetrySnapshot, *, positions: Positions, state: Any) -> tuple[Any, Estimate | NotEstimated]:
        return estimate(
            snapshot,
            arrays=arrays,
            grid=positions.grid,
            unknown=positions.unknown,
            prior=prior,
            policy=configuration.estimation,
            state=state,
        )

    def restore(view: RoundView, *, state: Any) -> Decision[Any]:
        return flisr.decide(view, state=state, policy=configuration.flisr)

    def dispatch_der(view: RoundView, *, state: Any) -> Decision[Any]:
        return dispatch.decide(view, state=state, policy=configuration.dispatch)

    def optimise_voltage(view: RoundView, *, state: Any) -> Decision[Any]:
        return voltvar.decide(view, state=state, policy=configuration.voltvar)

    def check(view: RoundView, proposal: Proposal) -> Verdict:
        return interlock.check(view, proposal, policy=configuration.interlock)

    return Stages(
        read_positions=read_positions,
        estimate=scan,
        apps=(
            AppStage(app=App.FLISR, decide=restore, initial=flisr.FlisrState.initial()),
            AppStage(app=App.DISPATCH, decide=dispatch_der, initial=dispatch.DispatchState.initial()),
            AppStage(app=App.VOLTVAR, decide=optimise_voltage, initial=voltvar.VoltVarState.initial()),
        ),
        check=check,
    )
