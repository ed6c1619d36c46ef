"""SunSpec Modbus TCP devices behind the gRPC API: telemetry out, leases in, each with a reversion in the device."""

from adms.gateway.sunspec.board import Board
from adms.gateway.sunspec.config import GatewayConfig, check_config, load_config
from adms.gateway.sunspec.counts import Counts
from adms.gateway.sunspec.gateway import Gateway, run_gateway

__all__ = ["Board", "Counts", "Gateway", "GatewayConfig", "check_config", "load_config", "run_gateway"]
