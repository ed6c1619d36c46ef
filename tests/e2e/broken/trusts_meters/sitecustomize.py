"""An estimator that believes every meter: no residual is ever too large."""

from typing import Any

from changing import change  # type: ignore[import-not-found]


def _trusting(module: Any) -> None:
    module.stand_out_limit = module.chi2_limit = lambda *_: float("inf")


change(adms__estimation__bad_data=_trusting)
