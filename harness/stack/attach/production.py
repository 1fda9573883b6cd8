"""No load goes into production without a sentence that is not typed by accident."""

from __future__ import annotations

from harness.contract.production_names import is_production_name
from harness.errors import UsageError
from harness.stack.attach.contract_file import AttachFile


def required_phrase(file: AttachFile) -> str:
    """The sentence that accepts production."""
    return f"send load to {file.prefix or file.streams.proposals} at {file.redis.place}"


def production_markers(file: AttachFile) -> tuple[str, ...]:
    """Everything in a contract that says production."""
    named = [
        ("prefix", file.prefix),
        ("stream", file.streams.proposals),
        *(("Redis", host) for host in file.redis.hosts),
        ("Sentinel service", file.redis.service),
        ("PostgreSQL", ",".join(file.postgres.hosts)),
        ("database", file.postgres.database),
    ]
    return tuple(f"{what} {name}" for what, name in named if is_production_name(name))


def refuse_production(file: AttachFile, sentence: str | None) -> None:
    """Stop before anything is connected to.

    Args:
        file: the contract.
        sentence: the sentence given with `--accept-production`; None for nothing.

    Raises:
        UsageError: the contract is marked as production and the sentence is missing; or it
            is given and names another system.
    """
    found = production_markers(file)
    expected = required_phrase(file)
    if sentence == expected or (sentence is None and not found):
        return
    if found:
        what = f"this is production ({', '.join(found)}), and load is not sent there"
        hint = f"if that is what you mean, say exactly: --accept-production {expected!r}"
    else:
        what = f"--accept-production {sentence!r} does not name this system"
        hint = "leave it out: nothing in the contract is marked as production"
    raise UsageError(what, where=file.name, hint=hint)
