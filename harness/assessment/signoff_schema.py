"""The JSON schema of `signoff.json`; `make schema` writes it.

As that of a run, it holds for every result of its version: what is added is not forbidden.
"""

from __future__ import annotations

import json
from typing import Any

from harness.assessment.result_schema import PATH as RUN_PATH
from harness.assessment.result_schema import open_schema
from harness.assessment.signoff import SIGNOFF_SCHEMA_VERSION, SignoffResult

PATH = RUN_PATH.with_name(f"signoff-{SIGNOFF_SCHEMA_VERSION}.json")


def signoff_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = open_schema(SignoffResult.model_json_schema(mode="validation"))
    schema["properties"]["schema_version"] = {"const": SIGNOFF_SCHEMA_VERSION}
    schema["required"] = ["schema_version", "kind", *schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"signoff.json, version {SIGNOFF_SCHEMA_VERSION}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def signoff_schema_text() -> str:
    """The content of the schema file."""
    return json.dumps(signoff_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(signoff_schema_text(), encoding="utf-8")
