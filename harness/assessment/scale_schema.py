"""The JSON schema of the `result.json` of an experiment over levels; `make schema` writes it.

As that of a run, it holds for every result of its version: what is added is not forbidden.
"""

from __future__ import annotations

import json
from typing import Any

from harness.assessment.result_schema import PATH as RUN_PATH
from harness.assessment.result_schema import open_schema
from harness.assessment.scale_result import SCALE_SCHEMA_VERSION, ScaleResult

PATH = RUN_PATH.with_name(f"scale-{SCALE_SCHEMA_VERSION}.json")


def scale_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = open_schema(ScaleResult.model_json_schema(mode="validation"))
    schema["properties"]["schema_version"] = {"const": SCALE_SCHEMA_VERSION}
    schema["required"] = ["schema_version", "kind", *schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"result.json of a scaling experiment, version {SCALE_SCHEMA_VERSION}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def scale_schema_text() -> str:
    """The content of the schema file."""
    return json.dumps(scale_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(scale_schema_text(), encoding="utf-8")
