"""A gate without its guard on closing onto faults (SW1), and a plan that needs it: closings without isolation."""

from typing import Any

from changing import change  # type: ignore[import-not-found]


def _without_sw1(module: Any) -> None:
    module.GUARDS = tuple(guard for guard in module.GUARDS if guard.id != "SW1")


def _no_isolation(module: Any) -> None:
    module.Judge.opens = lambda _, option: option.opens


change(adms__apps__interlock__registry=_without_sw1, adms__apps__flisr__accept=_no_isolation)
