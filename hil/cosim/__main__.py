"""`python -m hil.cosim transmission|communication`: the stand-ins as processes of their own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from adms.client import InputError
from hil.cosim.library import CosimError
from hil.cosim.plan import Core, CosimPlan
from hil.cosim.stub_communication import DelayFederate
from hil.cosim.stub_transmission import Thevenin, TheveninFederate


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hil.cosim", description="Stand-ins that join a bench's federation."
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    transmission = kinds.add_parser("transmission", help="a stiff voltage behind an impedance")
    communication = kinds.add_parser("communication", help="a network that delays everything by the same time")
    for one, name in ((transmission, "grid"), (communication, "network")):
        one.add_argument("--broker", required=True, help="address that the bench says")
        one.add_argument("--core", choices=[core.value for core in Core if core is not Core.INPROC], required=True)
        one.add_argument("--federate", default=name, help="own name (%(default)s)")
        one.add_argument("--until", dest="until_s", type=float, required=True, help="feeder time of the end, s")
        one.add_argument(
            "--grant-timeout", dest="grant_timeout_s", type=float, default=60.0, help="wall s (%(default)s)"
        )
        one.add_argument("--join-timeout", dest="join_timeout_s", type=float, default=60.0, help="wall s (%(default)s)")
    transmission.add_argument("--power", required=True, help="publication of the feeder's import, e.g. feeder/s_import")
    transmission.add_argument("--period", dest="period_s", type=float, required=True, help="s")
    transmission.add_argument("--offset", dest="offset_s", type=float, default=0.0, help="of its instants, s")
    transmission.add_argument("--e", dest="e_pu", type=float, required=True, help="voltage behind the impedance, pu")
    transmission.add_argument("--r", dest="r_pu", type=float, required=True, help="resistance, pu on --base")
    transmission.add_argument("--x", dest="x_pu", type=float, required=True, help="reactance, pu on --base")
    transmission.add_argument("--base", dest="base_va", type=float, required=True, help="VA of three phases")
    transmission.add_argument("--tolerance", dest="tolerance_pu", type=float, help="iterate, to so little pu")
    communication.add_argument(
        "--endpoint", dest="endpoints", action="append", required=True, help="e.g. source/gateway"
    )
    communication.add_argument("--delay", dest="delay_s", type=float, required=True, help="s")
    return parser


def _run(given: argparse.Namespace) -> None:
    tolerance_pu = getattr(given, "tolerance_pu", None)
    period_s = getattr(given, "period_s", 1.0)
    plan = CosimPlan(
        federate=given.federate,
        core=Core(given.core),
        broker=given.broker,
        period_s=period_s,
        fresh_within_s=period_s,
        grant_timeout_s=given.grant_timeout_s,
        join_timeout_s=given.join_timeout_s,
        iterations_max=0 if tolerance_pu is None else 1,
        tolerance_pu=tolerance_pu,
    )
    if given.kind == "transmission":
        system = Thevenin(e_pu=given.e_pu, z_pu=complex(given.r_pu, given.x_pu), s_base_va=given.base_va)
        TheveninFederate(plan, system=system, power=given.power, offset_s=given.offset_s).run(given.until_s)
    else:
        DelayFederate(plan, endpoints=given.endpoints, delay_s=given.delay_s).run(given.until_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 took part to the end, 1 the co-simulation ended before, 2 could not take part."""
    try:
        _run(_arguments().parse_args(arguments))
    except InputError as refused:
        print(refused, file=sys.stderr)
        return 2
    except CosimError as ended:
        print(ended, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
