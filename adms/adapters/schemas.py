"""JSON Schemas of the files that people write or other programs make: the network model, the overlay, the study.

The committed files in `adms/schemas` are what this module gives (a test compares them). Descriptions are the docstrings
under the fields; the unit is the one that a field's name ends with.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from adms.adapters.importers.overlay_schema import Overlay
from adms.adapters.model_file import MODEL
from adms.adapters.study_schema import StudyFile
from adms.grid import model as model_module
from adms.grid.model import SCHEMA_VERSION

FOLDER = Path(__file__).parent.parent / "schemas"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = {
    "w_per_customer": "W per customer",
    "w_per_s": "W/s",
    "per_km_year": "1/(km year)",
    "per_year": "1/year",
    "frac": "fraction, 1 is the whole",
    "siemens": "S",
    "ohm": "ohm",
    "rad": "rad",
    "deg": "degree",
    "var": "var",
    "va": "VA",
    "wh": "Wh",
    "hz": "Hz",
    "pu": "per unit",
    "h": "h",
    "m": "m",
    "s": "s",
    "a": "A",
    "v": "V",
    "w": "W",
}


def model_schema() -> dict[str, Any]:
    """Of the network model file."""
    schema = MODEL.json_schema()
    for name, part in {"NetworkModel": schema, **schema["$defs"]}.items():
        if part.get("type") == "object":
            part["additionalProperties"] = False
        described = getattr(model_module, name, None)
        if described is None:
            continue
        part["description"] = " ".join((inspect.getdoc(described) or "").split())
        for field, text in field_texts(described).items():
            if field in part.get("properties", {}):
                part["properties"][field]["description"] = text
    schema["properties"]["schema_version"] = {
        "const": SCHEMA_VERSION,
        "description": "Of this form; another number is refused.",
    }
    schema["required"].append("schema_version")
    return _published(schema, title=f"ADMS-lite network model, version {SCHEMA_VERSION}")


def overlay_schema() -> dict[str, Any]:
    """Of the overlay, which is TOML: the same tables, arrays and values."""
    return _published(_tables_schema(Overlay), title="ADMS-lite overlay, version 1")


def study_schema() -> dict[str, Any]:
    """Of the study, which is TOML."""
    return _published(_tables_schema(StudyFile), title="ADMS-lite study, version 1")


SCHEMAS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "model": (f"network-model-{SCHEMA_VERSION}.schema.json", model_schema),
    "overlay": ("overlay-1.schema.json", overlay_schema),
    "study": ("study-1.schema.json", study_schema),
}
"""By what `adms schema` calls them: the committed file's name, and what makes it."""


def schema_text(schema: dict[str, Any]) -> str:
    """As it is committed and printed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def field_texts(described: type) -> dict[str, str]:
    """The docstrings under a class's fields, or under the members of an enumeration."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(described))).body
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and is_text:
            assert isinstance(after, ast.Expr)
            assert isinstance(after.value, ast.Constant)
            texts[before.target.id] = " ".join(str(after.value.value).split())
    return texts


def _tables_schema(tables: type[BaseModel]) -> dict[str, Any]:
    return tables.model_json_schema()


def _published(schema: dict[str, Any], *, title: str) -> dict[str, Any]:
    for part in (schema, *schema.get("$defs", {}).values()):
        if "description" in part:
            part["description"] = " ".join(part["description"].split())
        for name, field in part.get("properties", {}).items():
            unit = next(
                (unit for ending, unit in _UNITS.items() if name == ending or name.endswith(f"_{ending}")), None
            )
            if unit is not None and _is_number(field):
                field["x-unit"] = unit
            field.pop("title", None)
    return {"$schema": _DIALECT, **schema, "title": title}


def _is_number(field: dict[str, Any]) -> bool:
    parts = [field, *field.get("anyOf", []), field.get("items", {})]
    return any(part.get("type") in ("number", "integer") for part in parts)
