"""The pytest plugin on sample suites: outcomes, messages, options, saved runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib import metadata
from pathlib import Path

import pytest

from tests.unit.api.conftest import StoredRuns, write_scenario

pytest_plugins = ["pytester"]

# Where this package is installed with its entry point, pytest loads the plugin by itself.
_INSTALLED = any(one.name == "signal_harness" for one in metadata.entry_points(group="pytest11"))
PLUGIN = () if _INSTALLED else ("-p", "harness.pytest_plugin")
VERDICTS = ("pass-plain", "fail-p99", "inconclusive-few", "invalid-no-stack")
MARKED = "".join(
    f"""
@pytest.mark.signal("{name}.toml")
def test_{name.partition("-")[0]}():
    pass
"""
    for name in VERDICTS
)


@pytest.fixture
def suite(pytester: pytest.Pytester, stored_runs: StoredRuns) -> pytest.Pytester:
    """An empty suite with the scenarios of four verdicts."""
    for name in VERDICTS:
        write_scenario(pytester.path, name)
    return pytester


def outcomes(
    suite: pytest.Pytester, source: str, *arguments: str
) -> tuple[dict[str, int], pytest.RunResult]:
    """Counts of a suite of one module."""
    suite.makepyfile(f"import pytest\nfrom harness import ms, seconds\n{source}")
    done = suite.runpytest_inprocess(*PLUGIN, "-p", "no:randomly", *arguments)
    return {} if done.ret == pytest.ExitCode.USAGE_ERROR else done.parseoutcomes(), done


def test_four_verdicts_of_marked_tests(suite: pytest.Pytester) -> None:
    """INVALID is an error of the test, not a failure of the system."""
    found, done = outcomes(suite, MARKED, "--junit-xml=junit.xml")
    assert found == {"passed": 1, "failed": 2, "errors": 1}
    done.stdout.fnmatch_lines(["*p99 < 500 ms: P99 of latency is *; the limit is 500 ms*"])
    done.stdout.no_fnmatch_line("*During handling*")
    cases = {case.get("name"): case for case in ET.parse("junit.xml").iter("testcase")}  # noqa: S314 - our own
    kinds = {
        name: [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        for name, case in cases.items()
    }
    assert kinds == {
        "test_pass": [],
        "test_fail": ["failure"],
        "test_inconclusive": ["failure"],
        "test_invalid": ["error"],
    }
    properties = {
        name: {one.get("name"): str(one.get("value")) for one in case.iter("property")}
        for name, case in cases.items()
    }
    assert properties["test_fail"]["signal_verdict"] == "FAIL"
    assert properties["test_invalid"]["signal_report"].endswith("report.html")


@pytest.mark.parametrize(
    ("policy", "counted"), [("fail", "failed"), ("xfail", "xfailed"), ("skip", "skipped")]
)
def test_undecided_goes_by_the_ini_option(
    suite: pytest.Pytester, policy: str, counted: str
) -> None:
    """Of a marked test, and of a comparison within a test."""
    suite.makeini(f"[pytest]\nsignal_inconclusive = {policy}\n")
    source = """
@pytest.mark.signal("inconclusive-few.toml")
def test_marked():
    pass

def test_compared(signal_run):
    assert signal_run("inconclusive-few.toml").p99 < ms(500)
"""
    found, done = outcomes(suite, source, "-rsx")
    assert found == {counted: 2}
    done.stdout.fnmatch_lines(["*without an upper bound*"])


def test_assertion_prints_the_interval(suite: pytest.Pytester) -> None:
    """And what the judge says, and where the report is."""
    source = """
def test_slow(signal_run):
    run = signal_run("pass-plain.toml")
    assert run.p99 < ms(500)
    assert run.p99 < ms(1)
"""
    found, done = outcomes(suite, source)
    assert found == {"failed": 1}
    done.stdout.fnmatch_lines(
        [
            "E *assert p99 of latency 19.0 ms (17.5 ms to 22.1 ms, each bound at 95 %,"
            " 419 signals) < 1 ms",
            "E *P99 of latency is 19 ms, between 17.5 ms and 22.1 ms*the limit is 1 ms",
            "E *report: *report.html",
        ]
    )


def test_what_says_nothing_about_the_system_is_an_error(suite: pytest.Pytester) -> None:
    """Also within a test: an invalid run, a missing scenario, a fixture without its marker."""
    source = """
def test_invalid(signal_run):
    signal_run("invalid-no-stack.toml")

def test_missing(signal_run):
    signal_run("missing.toml")

def test_unmarked(signal_result):
    pass

@pytest.mark.xfail
def test_expected(signal_run):
    signal_run("missing.toml")
"""
    found, done = outcomes(suite, source, "--junit-xml=junit.xml")
    assert found == {"errors": 3, "xfailed": 1}
    done.stdout.fnmatch_lines(["*missing.toml*"])
    done.stdout.no_fnmatch_line("*running.py*")
    tags = [child.tag for child in ET.parse("junit.xml").iter()]  # noqa: S314 - our own
    assert (tags.count("error"), tags.count("failure")) == (3, 0)


def test_marker_sets_objectives_and_options(
    suite: pytest.Pytester, stored_runs: StoredRuns
) -> None:
    """Limits of latency, further objectives, and options of a run."""
    source = """
@pytest.mark.signal(scenario="pass-plain.toml", p99="250 ms", p99_9=seconds(2), max="3 s",
                    objectives=("rate >= 99 %",), agents=9)
def test_marked(signal_result):
    assert signal_result.p99 < ms(250)
"""
    assert outcomes(suite, source)[0] == {"passed": 1}
    (asked,) = stored_runs.asked
    own = ("rate >= 99 %", "p99 < 250 ms", "p99.9 < 2 s", "max < 3 s")
    assert asked.objectives == ("p99 < 500 ms", "rejected < 1 %", *own)
    assert asked.load.stages[0].agents == 9


def test_only_marked_parameters_run(suite: pytest.Pytester, stored_runs: StoredRuns) -> None:
    """The others share the function, not the run."""
    source = """
@pytest.mark.parametrize(
    "n", [1, pytest.param(2, marks=pytest.mark.signal("pass-plain.toml")), 3]
)
def test_some(n):
    pass
"""
    assert outcomes(suite, source)[0] == {"passed": 3}
    assert len(stored_runs.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "ini", "stack"),
    [
        ([], "", "{'stack': 'process'}"),
        (["--signal-stack", "docker"], "", "{'stack': 'docker'}"),
        ([], "signal_stack = docker", "{'stack': 'docker'}"),
        (["--signal-contract", "c.toml"], "", "{'stack': 'attach', 'contract': PATH}"),
        ([], "signal_contract = c.toml", "{'stack': 'attach', 'contract': PATH}"),
    ],
)
def test_stack_by_option(
    suite: pytest.Pytester, arguments: list[str], ini: str, stack: str
) -> None:
    """Of the command line or the ini file; a contract means a system that already runs."""
    suite.makeini(f"[pytest]\n{ini}\n")
    expected = stack.replace("PATH", repr(suite.path / "c.toml").removeprefix("Posix"))
    source = f"""
from pathlib import Path
def test_stack(signal_stack):
    assert signal_stack == {expected}
"""
    assert outcomes(suite, source, *arguments)[0] == {"passed": 1}


def test_runs_are_saved_and_compared(suite: pytest.Pytester) -> None:
    """The third comparison has enough runs; they are equal, so that nothing changed."""
    for saved in range(3):
        _, done = outcomes(suite, MARKED, "--signal-save=main", "--signal-compare=main")
        done.stdout.fnmatch_lines(
            [f"CANNOT_TELL *::test_pass: P99 19.0 ms; {saved} comparable saved run*"]
        )
    lines = (suite.path / ".signal" / "main.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 * 3  # the invalid run is not saved
    _, done = outcomes(suite, MARKED, "--signal-compare=main")
    done.stdout.fnmatch_lines(["NONE_SHOWN *::test_pass: P99 19.0 ms; 3 comparable saved runs *"])
    assert outcomes(suite, MARKED, "--signal-compare=none")[1].ret == pytest.ExitCode.USAGE_ERROR


def test_links_of_pytest_html(suite: pytest.Pytester) -> None:
    """By its own functions, where it is installed."""
    suite.makeconftest(
        """
from types import SimpleNamespace

def pytest_configure(config):
    html = SimpleNamespace(extras=SimpleNamespace(url=lambda url, name: (name, url)))
    config.pluginmanager.register(html, "html")

def pytest_runtest_logreport(report):
    if report.when == "call":
        print("EXTRAS", report.extras)
"""
    )
    source = '@pytest.mark.signal("pass-plain.toml")\ndef test_linked(): pass'
    _, done = outcomes(suite, source, "-s")
    done.stdout.fnmatch_lines(["*EXTRAS [[]('pass-plain', 'file://*/report.html')]*"])


@pytest.mark.parametrize("line", ["signal_inconclusive = pass", "signal_wait_s = long"])
def test_wrong_setting_is_a_usage_error(suite: pytest.Pytester, line: str) -> None:
    """Before any test."""
    suite.makeini(f"[pytest]\n{line}\n")
    _, done = outcomes(suite, "def test_nothing(): pass")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"*{line.partition(' ')[0]}*"])


def test_scenario_beside_the_test_comes_first(
    suite: pytest.Pytester, stored_runs: StoredRuns
) -> None:
    """Then one below the root."""
    inner = suite.mkdir("inner")
    Path(inner, "fail-p99.toml").write_text(
        Path(suite.path, "pass-plain.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    Path(inner, "test_inner.py").write_text(
        "def test_inner(signal_run):\n"
        "    assert signal_run('fail-p99.toml').verdict.name == 'PASS'\n"
        "    assert signal_run('pass-plain.toml').verdict.name == 'PASS'\n",
        encoding="utf-8",
    )
    assert suite.runpytest_inprocess(*PLUGIN).parseoutcomes() == {"passed": 1}
    assert [one.name for one in stored_runs.asked] == ["pass-plain", "pass-plain"]
