"""pytest plugin: runs of scenarios as tests.

A missed objective is a failure, an undecided one goes by the ini option `signal_inconclusive`, and
everything that says nothing about the system (an INVALID run, a wrong scenario, a stack that does
not start) is an error.

Every pytest of the environment imports this module, so it imports the rest of the harness only when
a test uses it. A run patches nothing in this process: Locust and gevent are in processes of their
own.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from harness.api.result import Result

MARKER = (
    "signal(scenario, objectives=(), p99=..., **options): run a scenario before the test and fail"
    " it unless the verdict is PASS; fixture signal_result has the result. p50, p99, p99_9, max:"
    " a limit of latency such as '500 ms'; options: those of harness.run."
)
_LIMIT = re.compile(r"p\d+(?:_\d+)?|max")
_POLICIES = ("fail", "xfail", "skip")
_RESULTS = pytest.StashKey[list["Result"]]()
_MARKED = pytest.StashKey["Result"]()


class SignalRun(Protocol):
    """Runs a scenario; options are those of `harness.run`."""

    def __call__(self, scenario: str | Path, **options: Any) -> Result:
        """The result.

        Raises:
            InvalidRunError: the verdict is INVALID.
            HarnessError: as `harness.run`.
        """
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line and of the ini file."""
    group = parser.getgroup("signal", "runs of signal-harness")
    group.addoption("--signal-stack", metavar="KIND", help="process, docker or attach")
    group.addoption("--signal-contract", metavar="FILE", help="contract file; implies attach")
    group.addoption("--signal-reports", metavar="DIR", help="where the folders of runs go")
    group.addoption("--signal-save", metavar="NAME", help="add the runs to .signal/NAME.jsonl")
    group.addoption(
        "--signal-compare", metavar="NAME", help="compare the runs with those of .signal/NAME.jsonl"
    )
    parser.addini("signal_stack", "process, docker or attach", default="")
    parser.addini("signal_contract", "contract file of a system that already runs", default="")
    parser.addini("signal_reports", "where the folders of runs go", default="reports")
    parser.addini(
        "signal_inconclusive", f"outcome of INCONCLUSIVE: {', '.join(_POLICIES)}", default="fail"
    )
    parser.addini("signal_wait_s", "how long a run waits for others, in seconds", default="3600")


def pytest_configure(config: pytest.Config) -> None:
    """Check the settings, and prepare to save and to compare."""
    config.addinivalue_line("markers", MARKER)
    if (policy := config.getini("signal_inconclusive")) not in _POLICIES:
        raise pytest.UsageError(
            f"signal_inconclusive = {policy!r} in the ini file: use {', '.join(_POLICIES)}"
        )
    _wait_s(config)
    if _keeps_records(config) and not hasattr(config, "workerinput"):  # xdist's workers report here
        names = config.getoption("signal_save"), config.getoption("signal_compare")
        config.pluginmanager.register(_SavedRuns(config.rootpath / ".signal", *names))


@pytest.fixture(scope="session")
def signal_stack(pytestconfig: pytest.Config) -> Mapping[str, Any]:
    """Options of `harness.run` that choose the stack; a suite may override this fixture."""
    contract = _path(pytestconfig, "contract")
    kind = pytestconfig.getoption("signal_stack") or pytestconfig.getini("signal_stack")
    if contract is None:
        return {"stack": kind or "process"}
    return {"stack": kind or "attach", "contract": contract}


@pytest.fixture
def signal_run(request: pytest.FixtureRequest, signal_stack: Mapping[str, Any]) -> SignalRun:
    """Runs a scenario, such as "smoke" or "load/burst.toml", with the options of `harness.run`."""

    def run(scenario: str | Path, **options: Any) -> Result:
        return _execute(request.node, scenario, {**signal_stack, **options})

    return run


@pytest.fixture
def signal_result(request: pytest.FixtureRequest, signal_run: SignalRun) -> Result:
    """The result of the marker's run."""
    marker = request.node.get_closest_marker("signal")
    if marker is None:
        from harness.errors import UsageError

        raise UsageError("signal_result is of @pytest.mark.signal(scenario=...)")
    result = signal_run(**_arguments(*marker.args, **marker.kwargs))
    request.node.stash[_MARKED] = result
    return result


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test has its run whether it asks for the result or not."""
    if not isinstance(item, pytest.Function) or item.get_closest_marker("signal") is None:
        return
    if "signal_result" not in item.fixturenames:
        # A new list: the old one belongs to all parameters of the function.
        item.fixturenames = [*item.fixturenames, "signal_result"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the run of a marked test before the body of the test."""
    if (result := item.stash.get(_MARKED, None)) is not None:
        from harness.api.outcomes import RunFailedError

        try:
            result.raise_for_verdict()
        except RunFailedError as error:
            message = f"{error}\n  report: {result.report}"
            raise pytest.fail.Exception(message, pytrace=False) from None
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Map errors of the harness to outcomes, and link the reports of the runs."""
    report = yield
    if report.failed and call.excinfo is not None and _is_ours(call.excinfo.value):
        _map_outcome(item, report, call.excinfo)
    if results := item.stash.get(_RESULTS, None):
        _link_reports(item.config, report, results)
        if report.when == "teardown" and _keeps_records(item.config):
            _attach_records(report, item.nodeid, results)
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """The interval and the message of the judge for `assert run.p99 < ms(500)`."""
    if not _is_ours(left) or not _is_ours(right):
        return None
    from harness.api.durations import Duration
    from harness.api.percentile import Percentile

    measured, limit = (left, right) if isinstance(left, Percentile) else (right, left)
    if not isinstance(measured, Percentile) or not isinstance(limit, Duration):
        return None
    return [
        f"{left!r} {op} {right!r}",
        *(check.message for check in measured.check(limit)),
        f"report: {measured.run.report}",
    ]


class _SavedRuns:
    """Saves and compares the runs of a session, of all workers together.

    Args:
        folder: of the files.
        save: name to save the runs under.
        compare: name to compare them with.
    """

    def __init__(self, folder: Path, save: str | None, compare: str | None) -> None:
        from harness.api import saved_runs
        from harness.errors import HarnessError

        self._module = saved_runs
        self._new: list[saved_runs.SavedRun] = []
        try:
            self._target = saved_runs.saved_path(folder, save) if save else None
            self._source = saved_runs.saved_path(folder, compare) if compare else None
            self._saved: list[saved_runs.SavedRun] = []
            # What is saved at the end need not be there at the beginning.
            if self._source and (self._source != self._target or self._source.exists()):
                self._saved = saved_runs.read_saved(self._source)
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the runs of a test."""
        for record in getattr(report, "signal_runs", ()):
            self._new.append(self._module.SavedRun.model_validate(record))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the comparison, then save."""
        from harness.errors import HarnessError

        if self._source is not None:
            terminalreporter.section(f"signal runs against {self._source.stem}")
            for new in self._new:
                terminalreporter.line(str(self._module.compare(new, self._saved)))
        if self._target is None:
            return
        try:
            self._module.save(self._target, self._new)
        except HarnessError as error:
            terminalreporter.line(f"the signal runs are not saved: {error}", red=True)
        else:
            terminalreporter.line(f"{len(self._new)} signal runs saved in {self._target}")


def _execute(item: pytest.Item, scenario: str | Path, options: Mapping[str, Any]) -> Result:
    """One run, after those of other workers and sessions; it is recorded with the test."""
    from harness.api.running import run
    from harness.process.run_registry import run_turn

    defaults = {"reports": _path(item.config, "reports"), "progress": True}
    with run_turn(_wait_s(item.config)):
        result = run(_found(item, scenario), **{**defaults, **options})
    item.stash.setdefault(_RESULTS, []).append(result)
    item.user_properties.append(("signal_verdict", result.verdict.name))
    item.user_properties.append(("signal_report", str(result.report)))
    if result.verdict.name == "INVALID":
        result.raise_for_verdict()
    return result


def _found(item: pytest.Item, scenario: str | Path) -> Path:
    """A file beside the test, else below the root of the suite, else as `harness.run` finds it."""
    for folder in (item.path.parent, item.config.rootpath):
        if (path := folder / scenario).is_file():
            return path
    return Path(scenario)


def _arguments(
    scenario: str | Path, *, objectives: tuple[str, ...] = (), **rest: Any
) -> dict[str, Any]:
    """The arguments of `signal_run` for those of the marker."""
    limits = {name: rest.pop(name) for name in [*rest] if _LIMIT.fullmatch(name)}
    further = (f"{name.replace('_', '.')} < {limit}" for name, limit in limits.items())
    return {"scenario": scenario, "objectives": (*objectives, *further), **rest}


def _map_outcome(
    item: pytest.Item, report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]
) -> None:
    """Give the report of an error of the harness the outcome that it stands for."""
    from harness.api.outcomes import UndecidedError
    from harness.errors import HarnessError

    error = excinfo.value
    if not isinstance(error, HarnessError):
        return
    # The message says all; frames of the harness would hide it.
    report.longrepr = excinfo.getrepr(style="value", chain=False)
    if not isinstance(error, UndecidedError):
        if report.when == "call":
            report.when = "setup"  # what fails outside of the call is an error, not a failure
        return
    policy = item.config.getini("signal_inconclusive")
    if policy == "xfail":
        report.outcome, report.wasxfail = "skipped", str(error)
    elif policy == "skip":
        path, line, _ = item.location
        report.outcome, report.longrepr = "skipped", (path, (line or 0) + 1, f"Skipped: {error}")


def _link_reports(config: pytest.Config, report: pytest.TestReport, results: list[Result]) -> None:
    """Links of pytest-html, where that is installed; JUnit XML has them as properties."""
    html = config.pluginmanager.getplugin("html")
    if html is not None and hasattr(html, "extras"):
        links = [html.extras.url(one.report.as_uri(), name=one.run_id) for one in results]
        vars(report)["extras"] = [*getattr(report, "extras", ()), *links]


def _attach_records(report: pytest.TestReport, test: str, results: list[Result]) -> None:
    """Put what is saved or compared on a report: xdist sends plain values with it."""
    from harness.api.saved_runs import SavedRun

    records = [SavedRun.of(test, number, one) for number, one in enumerate(results, 1)]
    vars(report)["signal_runs"] = [one.model_dump(mode="json") for one in records if one]


def _is_ours(value: object) -> bool:
    return type(value).__module__.startswith("harness.")


def _keeps_records(config: pytest.Config) -> bool:
    return bool(config.getoption("signal_save") or config.getoption("signal_compare"))


def _path(config: pytest.Config, name: str) -> Path | None:
    """A path of the command line, from the current folder, or of the ini file, from its root."""
    if given := config.getoption(f"signal_{name}"):
        return config.invocation_params.dir / str(given)
    if given := config.getini(f"signal_{name}"):
        return config.rootpath / str(given)
    return None


def _wait_s(config: pytest.Config) -> float:
    text = config.getini("signal_wait_s")
    try:
        return float(text)
    except ValueError:
        raise pytest.UsageError(f"signal_wait_s = {text!r} in the ini file: use seconds") from None
