"""Commands and exit codes; the only place that picks concrete parts."""

__all__ = ["main"]


def main() -> None:
    """Entry point: makes streams and environment safe before anything else is imported."""
    from harness.cli.streams import secure_streams
    from harness.process.surroundings import tidy

    secure_streams()
    tidy()
    from harness.cli.app import main as run_command  # imports everything else

    run_command()
