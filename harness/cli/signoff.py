"""`harness signoff`: a policy measured to a decision, verified, and signed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from harness.cli.console import make_console, print_line
from harness.cli.options import (
    REPORTS,
    AcceptProduction,
    ContractFile,
    Defects,
    Images,
    ImageSet,
    StackKind,
)
from harness.cli.overrides import only_for_new
from harness.errors import EvidenceError, Exit

_BEGIN = "begin"
_HELP = ("-h", "--help")
ARCHIVE_SUFFIX, SIGNATURE_SUFFIX = ".tar.gz", ".dsse.json"


class _BeginByDefault(TyperGroup):
    """`harness signoff POLICY` is `harness signoff begin POLICY`."""

    default = _BEGIN

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in _HELP:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


signoff_app = typer.Typer(
    cls=_BeginByDefault,
    help="A policy measured to a decision that an auditor can verify: harness signoff POLICY.toml",
    no_args_is_help=True,
)

Source = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive, or the folder.")]


@signoff_app.command(_BEGIN)
def begin(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="POLICY", help="Policy file; or the folder of a sign-off, to go on with."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the folder and the archive go.")] = REPORTS,
    defect: Defects = None,
    stack: Annotated[
        StackKind | None, typer.Option(help="process, docker or attach; the policy's if absent.")
    ] = None,
    images: ImageSet = "upstream",
    image: Images = None,
    contract: ContractFile = None,
    accept_production: AcceptProduction = None,
) -> None:
    """Measure every criterion of a policy, and decide; the command may be left out.

    Exit code: 0 SIGNED OFF; 1 a criterion is NOT MET; 3 INDICATIVE, or a criterion is UNKNOWN;
    2 wrong usage, 4 interrupted.
    """
    from harness.cli.signoff_run import begin_signoff, continue_signoff  # slow to import
    from harness.cli.stack_choice import StackChoice
    from harness.scenario.policy import parse_policy, read_policy_text
    from harness.scenario.shipped_scenarios import find_scenario

    path = find_scenario(path)
    if path.is_dir():
        only_for_new(
            path,
            {"--defect": defect, "--stack": stack, "--image": image, "--contract": contract},
        )
        raise typer.Exit(continue_signoff(path, accept_production))
    text = read_policy_text(path)
    own = parse_policy(text, str(path)).policy.stack
    kind = StackKind(own) if stack is None else stack
    choice = StackChoice(kind, images, image or [], 0, {}, contract, accept_production)
    raise typer.Exit(begin_signoff(path, text, out=out, choice=choice, defects=defect or ()))


@signoff_app.command()
def verify(
    source: Source,
    public_key: Annotated[
        Path | None, typer.Option(help="File with the public key of the signature.")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(help="The signature; beside the archive if absent.")
    ] = None,
) -> None:
    """Judge a sign-off again from its evidence, offline: MATCHES, or every difference.

    Exit code: 0 it matches, whatever the decision; 4 it does not; 2 wrong usage, or no archive of
    a sign-off.
    """
    from harness.assessment.attestation import PAYLOAD_TYPE, payload  # slow to import
    from harness.evidence import signature as signatures
    from harness.experiments.signoff_verify import Difference, verify_signoff
    from harness.report.signoff import headline, words

    found = verify_signoff(source)
    differences = list(found.differences)
    if public_key is not None and found.result is not None:
        envelope = signature or signature_of(source)
        signed = payload(found.result, found.root)
        if why := signatures.verify(envelope, signed, PAYLOAD_TYPE, public_key):
            differences.append(Difference("signature", envelope.name, why))
    console = make_console()
    for one in differences:
        text = f"{one.id}  {one.place}: {one.message}"
        print_line(console, text)
    result = found.result
    if result is not None:
        text = f"{result.signoff_id}: {words(result.decision)}, {headline(result)}"
        print_line(console, text)
    print_line(console, f"root {found.root}")
    if differences:
        console.print(f"DIFFERS in {len(differences)}", style="bold red")
        raise typer.Exit(int(Exit.INVALID))
    signed_by = f", signed by {public_key.name}" if public_key else ", no signature was checked"
    console.print(f"MATCHES{signed_by}", style="bold green", markup=False)


@signoff_app.command()
def sign(
    source: Source,
    key: Annotated[
        Path,
        typer.Option(
            help="File with the private key, its password in the environment; or with the public"
            " key, whose private one an ssh-agent has."
        ),
    ],
) -> None:
    """Verify a sign-off, and sign it: an in-toto statement in a DSSE envelope beside it.

    The variable HARNESS_SIGNOFF_PASSWORD has the password of the key.
    """
    from harness.assessment.attestation import PAYLOAD_TYPE, payload  # slow to import
    from harness.evidence import atomic_files
    from harness.evidence import signature as signatures
    from harness.experiments.signoff_verify import verify_signoff

    found = verify_signoff(source)
    if found.differences or found.result is None:
        first = found.differences[0]
        raise EvidenceError(
            f"is not signed: {first.id} {first.place}: {first.message}",
            where=str(source),
            hint=f"`harness signoff verify {source}` has every difference",
        )
    signed = payload(found.result, found.root)
    envelope = signatures.sign(signed, PAYLOAD_TYPE, key, os.environ)
    atomic_files.write_text(signature_of(source), envelope)
    print_line(make_console(), f"written: {signature_of(source)}")


def signature_of(source: Path) -> Path:
    """Where the signature of an archive or of a folder lies."""
    path = source.absolute()
    return path.with_name(path.name.removesuffix(ARCHIVE_SUFFIX) + SIGNATURE_SUFFIX)
