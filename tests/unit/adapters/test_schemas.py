"""The published schemas are what the code gives, and say of every field what it is."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adms.adapters.schemas import FOLDER, SCHEMAS, model_schema, schema_text


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_what_the_code_gives(name: str) -> None:
    # If this fails: `adms schema <name> -o adms/schemas/<file>`, and look at what changed.
    file, made = SCHEMAS[name]
    assert (FOLDER / file).read_text(encoding="utf-8") == schema_text(made())


def test_unknown_fields_are_refused_in_every_table() -> None:
    for _, made in SCHEMAS.values():
        schema = made()
        tables = [part for part in (schema, *schema["$defs"].values()) if part.get("type") == "object"]
        assert all(part["additionalProperties"] is False for part in tables)


def test_the_model_schema_tells_units_and_what_fields_mean() -> None:
    branch = model_schema()["$defs"]["Branch"]
    assert "y_primitive_siemens" in branch["required"]
    assert branch["properties"]["rating_a"]["x-unit"] == "A"
    assert "Normal rating" in branch["properties"]["rating_a"]["description"]
    assert model_schema()["properties"]["schema_version"]["const"] == 2


def test_quantities_of_the_files_that_people_write_name_their_unit() -> None:
    bare = {
        "schema_version",
        "phases",
        "steps",
        "normal_steps",
        "customers",
        "critical_customers",
        "reclose_shots",
        "position",
        "values",
    }
    for name in ("overlay", "study"):
        schema = SCHEMAS[name][1]()
        for part in (schema, *schema["$defs"].values()):
            for field, form in part.get("properties", {}).items():
                kinds = {option.get("type") for option in (form, *form.get("anyOf", []))}
                if kinds & {"number", "integer"} and field not in bare:
                    assert "x-unit" in form, (name, field)


def test_every_key_is_described_on_the_page(project_root: Path) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in ("overlay", "study"):
        schema: dict[str, Any] = SCHEMAS[name][1]()
        keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}
        assert [key for key in sorted(keys) if f"`{key}`" not in page and f"`[[{key}]]`" not in page] == []


def test_the_examples_on_the_page_are_files_of_their_form() -> None:
    from adms.adapters.importers.overlay_schema import Overlay
    from adms.adapters.study_schema import StudyFile

    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    examples = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    overlay, study = (json.dumps(tomllib.loads(text), default=str) for text in examples)
    Overlay.model_validate_json(overlay, strict=True)
    StudyFile.model_validate_json(study, strict=True)
