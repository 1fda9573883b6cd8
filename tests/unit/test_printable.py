"""Text from outside, wherever it is shown."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from harness.cli import app as application
from harness.cli.app import app
from harness.cli.console import SafeConsole
from harness.errors import Exit
from harness.evidence.run_folder import RunFolder
from harness.judge.check import CheckKind, CheckSpec
from harness.judge.judgement import with_check
from harness.judge.verdict import Verdict
from harness.printable import one_line, printable, spreadsheet_cell, without_secrets
from harness.report.data import ReportData, read_report_data
from harness.report.html import html_report
from harness.report.junit import junit_xml
from harness.report.markdown import escaped, markdown
from tests.unit.analysis.evidence import healthy, load_of

ESC = "\x1b]52;c;ZXZpbA==\x07\x9b2J\x1b[31m\u202egnp\r\b\x00 [red]no[/red] [link=http://e.vil]x[/link]"
MARKS = "</script><img src=x onerror=alert(1)> ```\n# |x| ![i](http://e.vil) @all `q`"
COMMANDS = "x\n::set-output name=a::b\n##[group]c ##vso[task.complete]d"
HOSTILE = f"{ESC} {MARKS} {COMMANDS}"
# Nothing that a terminal obeys, and no direction but the usual.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
BEGINS = re.compile(r"(?m)^\s*::[a-z]|##\w*\[")
ORDERS = re.compile(r"::[a-z-]+( [^\n]*)?::|##\w*\[")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\u202eb\u2066", r"a\u202eb\u2066"),
        ("\ud800\U000e0041", r"\ud800\U000e0041"),
        ("::set-output name=x::y", r":\:set-output name=x::y"),
        ("fe80::abcd is up", "fe80::abcd is up"),
        ("##[group]x", r"#\#[group]x"),
        ("## FAIL: a", "## FAIL: a"),
        ("\N{SNOWMAN} é 漢 👩‍👩‍👧", "\N{SNOWMAN} é 漢 👩‍👩‍👧"),
    ],
)
def test_what_is_obeyed_is_written_out(text: str, shown: str) -> None:
    """Everything else stays as it is."""
    assert printable(text) == shown


@given(st.text())
def test_no_text_is_obeyed(text: str) -> None:
    """Nor does it change when it is shown again, and a line is a line."""
    shown = printable(text)
    assert not OBEYED.search(shown)
    assert not ORDERS.search(shown)
    assert printable(shown) == shown
    assert len(one_line(text).splitlines()) <= 1
    assert not spreadsheet_cell(text).lstrip().startswith(("=", "+", "-", "@"))


def test_console_obeys_nothing_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """However it comes: as a text, in a cell, in a style of its own."""
    console = SafeConsole()
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    for what in (HOSTILE, Text(HOSTILE, style="red"), table):
        console.print(what, soft_wrap=True)
    printed = capsys.readouterr().out
    assert printed.count("[red]no[/red]") == 4
    assert not OBEYED.search(printed)
    assert not ORDERS.search(printed)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """A run of which a check, an event and a description hold what somebody sent."""
    folder = healthy(load_of(duration_s=4.0)).write(tmp_path_factory.mktemp("reports"))
    found = read_report_data(folder)
    spec = CheckSpec("hostile", HOSTILE, CheckKind.VALIDITY)
    check = spec.judged(Verdict.INVALID, HOSTILE, examples=(HOSTILE,))
    return replace(
        found,
        judgement=with_check(found.judgement, check),
        stack={"kind": "process", "services": {HOSTILE: {"image": HOSTILE}}},
        environment={"harness": HOSTILE},
        command=f"harness run '{HOSTILE}'",
        missing_evidence=(HOSTILE,),
    )


@pytest.mark.parametrize("make", [markdown, junit_xml, html_report])
def test_no_report_holds_what_is_obeyed(
    make: Callable[[ReportData], str], data: ReportData
) -> None:
    """Neither by a terminal nor by a CI system, nor by a browser."""
    text = make(data)
    assert not OBEYED.search(text)
    # The command stands in a fence, which holds whatever it is.
    assert "<img src=x" not in text.partition("````")[0]
    if make is not html_report:  # its scripts are our own
        assert not BEGINS.search(text)
    if make is junit_xml:
        assert ET.fromstring(text).tag == "testsuites"  # noqa: S314 - we have just made it


def test_markdown_makes_nothing_of_texts(data: ReportData) -> None:
    """No link, no mention, no heading, and a fence ends where it should."""
    text = markdown(data)
    before, fence, code = text.rpartition("````\n")[0].rpartition("````\n")
    assert fence
    assert code.count("\n") == 1
    assert "e.vil" not in re.sub(r"&#58;//e.vil", "", before)
    assert "@all" not in before
    assert escaped("# no heading") == "\\# no heading"
    assert escaped("1. no list") == "1\\. no list"
    assert escaped("> no quotation") == "\\> no quotation"


def test_trend_obeys_nothing(tmp_path: Path) -> None:
    """A folder is called as somebody likes; neither a sheet nor a CI system obeys its name."""
    run = healthy(load_of(duration_s=4.0)).write(tmp_path / "made")
    done = CliRunner().invoke(app, ["judge", str(run.path)])
    assert done.exit_code == 0
    name = "=cmd()\x1b[2J ::stop-commands::x ##[error]y"
    own = RunFolder(Path(shutil.copytree(run.path, tmp_path / "reports" / name)))
    text = own.result.read_text(encoding="utf-8")
    document = json.loads(text)
    document["run_id"] = name
    own.result.write_text(json.dumps(document), encoding="utf-8")
    for form in ("table", "csv", "json"):
        printed = CliRunner().invoke(app, ["trend", str(own.path.parent), "--as", form]).stdout
        assert not OBEYED.search(printed)
        assert not re.search(r"##\w*\[", printed)
        assert "NOT VERIFIED" in printed
        if form == "csv":
            rows = list(csv.reader(printed.splitlines()))
            assert rows[1][0].startswith("'=cmd()")
        if form == "json":
            assert json.loads(printed)[0]["run_id"] == one_line(name)


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hunter2@10.0.0.1:6379/0",
        "postgresql://me:hunter2@db/defi",
        "host=db password=hunter2 user=me",
        "password='hunter2 '",
        'PGPASSWORD="hunter2"',
        "{'url': 'x', 'password': 'hunter2', 'port': 1}",
        "Settings(admin_password='hunter2')",
        "api_key: hunter2",
        "REDIS_PASSWORD=hunter2",
    ],
)
def test_no_secret_is_left(text: str) -> None:
    """Logins in addresses, and values of keys that hold one, in any notation."""
    assert "hunter2" not in without_secrets(text)
    assert "***" in without_secrets(text)


def test_other_text_is_left_as_it_is() -> None:
    """What holds no secret is unchanged."""
    text = "https://example.org/a?b=c user=me passed 3 tests: the word password is none"
    assert without_secrets(text) == text


def test_a_crash_prints_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its message nor its traceback."""
    address, secret = "postgresql://me:{}@db/defi password={}", "".join(("hunter", "2"))

    def broken() -> None:
        raise RuntimeError(f"cannot connect to {address.format(secret, secret)}")

    monkeypatch.setattr(application, "app", broken)
    with pytest.raises(SystemExit) as ended:
        application.main()
    assert ended.value.code == Exit.INVALID
    assert "hunter2" not in capsys.readouterr().err
