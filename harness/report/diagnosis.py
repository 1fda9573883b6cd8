"""The diagnosis, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.diagnosis.answers import Answer, Diagnosis, Evidence, Question
from harness.diagnosis.spans import format_spans

_STYLES = {Answer.YES: "bold red", Answer.NO: "green", Answer.UNKNOWN: "yellow"}
NO_CAUSE = "no question has the answer yes"


def render_short(diagnosis: Diagnosis, path: Path) -> RenderableType:
    """Headline and answers, for the end of a run."""
    body: list[RenderableType] = [Text(diagnosis.failed, style="bold red")]
    if not diagnosis.failed:
        body = [_headline(diagnosis), _answers(diagnosis, short=True)]
        if diagnosis.headline is None and diagnosis.remarks:
            body.append(_bullet(diagnosis.remarks[0].message))
    return Group(
        Text(),
        Text("diagnosis", style="bold cyan"),
        _indented(Group(*body)),
        Text(),
        Text(f"all figures with: harness diagnose {path}", style="dim"),
    )


def render_diagnosis(diagnosis: Diagnosis, run_id: str) -> RenderableType:
    """Answers with evidence and advice, stages and remarks."""
    parts: list[RenderableType] = [
        Text(f"{run_id}: {diagnosis.because}", style="dim"),
        Text(),
    ]
    if diagnosis.failed:
        return Group(*parts, Text(diagnosis.failed, style="bold red"))
    if diagnosis.slow:
        spans = format_spans([(span.start_s, span.end_s) for span in diagnosis.slow])
        parts[:1] = [parts[0], Text(f"slow from {spans} of the run", style="dim")]
    parts += [_headline(diagnosis), Text(), _answers(diagnosis, short=False)]
    for title, lines in (
        ("latency breakdown", diagnosis.stages),
        ("remarks", tuple(remark.message for remark in diagnosis.remarks)),
    ):
        if lines:
            body = Group(*(_bullet(line) for line in lines))
            parts += [Text(), Text(title, style="bold cyan"), _indented(body)]
    return Group(*parts)


def _indented(body: RenderableType) -> Padding:
    return Padding(body, (0, 0, 0, 2))


def _headline(diagnosis: Diagnosis) -> Text:
    if diagnosis.headline is not None:
        return Text(diagnosis.headline, style="bold")
    return Text(NO_CAUSE, style="bold")


def _answers(diagnosis: Diagnosis, *, short: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    for number, question in enumerate(diagnosis.questions, start=1):
        # As text: names from a run may hold brackets, which are no markup.
        answer = Text(question.answer.upper(), style=_STYLES[question.answer])
        body: RenderableType = Text(question.asks)
        if not short:
            body = Group(*_answer_lines(question))
        table.add_row(Text(f"{number}."), answer, body)
    return table


def _answer_lines(question: Question) -> Iterator[Text]:
    yield Text(question.asks, style="bold")
    yield Text(question.message)
    for evidence in question.evidence:
        yield Text(f"{_when(evidence)} {evidence.track}{_compared(evidence)}", style="dim")
    if question.advice:
        yield Text(f"-> {question.advice}", style="italic")


def _when(evidence: Evidence) -> str:
    return f"{evidence.start_s:.0f}-{evidence.end_s:.0f} s"


def _compared(evidence: Evidence) -> str:
    text = f" {evidence.value:,.4g}"
    if evidence.limit is not None:
        text += f" (threshold {evidence.limit:,.4g})"
    if evidence.correlation is not None:
        text += f", correlation with latency {evidence.correlation:+.2f}"
    return text


def _bullet(line: str) -> Text:
    return Text(f"- {line}")
