"""The lists of scenarios and of named defects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.errors import UsageError
from harness.formatting import format_count
from harness.report.run_description import describe_experiment, describe_run
from harness.scenario import load_scenario
from harness.scenario.experiment import load_experiment
from harness.scenario.file import EXPERIMENT, POLICY, read_toml
from harness.scenario.policy import load_policy
from harness.stack.defect_catalogue import read_catalogue


def list_scenarios(folder: Path, console: Console) -> None:
    """Print one line for each scenario file, by its place; a broken one is named, not skipped.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=str(folder))
    table = Table("scenario", "what it asks", "load", box=None, pad_edge=False)
    for path in sorted(folder.rglob("*.toml"), key=lambda path: (path.parent, path)):
        place = path.relative_to(folder).with_suffix("")
        try:
            document = read_toml(path)
            if EXPERIMENT in document:
                experiment = load_experiment(path)
                table.add_row(str(place), experiment.about, describe_experiment(experiment))
                continue
            if POLICY in document:
                policy = load_policy(path)
                criteria = format_count(len(policy.criterion), "criterion", "criteria")
                table.add_row(str(place), policy.policy.about, f"sign-off of {criteria}")
                continue
            scenario = load_scenario(path)
        except UsageError as error:
            table.add_row(str(place), str(error).partition("\n")[0], "", style="red")
            continue
        load = scenario.load
        table.add_row(str(place), scenario.about, describe_run(load))
    console.print(table)


def list_defects(root: Path, console: Console) -> None:
    """Print one line for each defect of the reference services.

    Raises:
        UsageError: the reference services are not here.
    """
    table = Table("defect", "what the engine does", "defaults", box=None)
    table.pad_edge = False
    for defect in read_catalogue(root).values():
        table.add_row(defect.name, defect.about, _text({**defect.when, **defect.settings}))
    console.print(table)


def _text(values: Mapping[str, float]) -> str:
    return ",".join(f"{key}={value:g}" for key, value in values.items())
