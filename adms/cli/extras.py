"""Optional parts of the installation, asked for before they are needed."""

from importlib.util import find_spec

from adms.core.errors import InputError, Problem

# Module that must be importable, and the distribution that brings it.
HIL = {"hil": "adms-lite", "dss": "dss_python", "jinja2": "jinja2", "matplotlib": "matplotlib"}
OPENDSS = {"dss": "dss_python"}
PANDAPOWER = {"pandapower": "pandapower"}
MATPLOTLIB = {"matplotlib": "matplotlib"}


def require(modules: dict[str, str], *, purpose: str) -> None:
    """Raises InputError that names every missing module and how to install it."""
    absent = [(module, distribution) for module, distribution in modules.items() if find_spec(module) is None]
    if absent:
        raise InputError(
            Problem(
                element="installation",
                field=module,
                value="",
                message=f"{purpose} needs {distribution}, which is not installed: pip install 'adms-lite[hil]'",
            )
            for module, distribution in absent
        )
