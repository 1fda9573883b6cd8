"""The last lines of a log, without secrets."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.stack.log_tail import HIDDEN, log_tail, redact


def test_only_the_end(tmp_path: Path) -> None:
    """The last lines are shown, of a long file too."""
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert log_tail(log, (), lines_max=2) == "line 99998\nline 99999"


def test_no_log(tmp_path: Path) -> None:
    """A service that never wrote has no last lines."""
    assert log_tail(tmp_path / "none", ()) == ""


def test_secret_in_a_url() -> None:
    """A secret is hidden in the form it takes in a URL too."""
    assert redact("redis://:a%2Fb@host a/b", ("a/b",)) == f"redis://:{HIDDEN}@host {HIDDEN}"


@given(
    st.text(alphabet="abc/:@ \n", max_size=60),
    st.lists(st.text(alphabet="abc/:@", min_size=1, max_size=6), max_size=4),
)
def test_no_secret_survives(text: str, secrets: list[str]) -> None:
    """Whatever the text and the secrets, none is left."""
    left = redact(text, secrets).replace(HIDDEN, "")
    joined = redact(text, secrets)
    assert all(secret not in joined for secret in secrets)
    assert len(left) <= len(text)
