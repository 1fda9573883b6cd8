"""Commands and exit codes; the only place that picks concrete parts."""

__all__ = ["main"]


def main() -> None:
    """Entry point: makes streams and environment safe before anything else is imported."""
    from harness.cli.standard_streams import secure_streams
    from harness.process.sanitize import sanitize_process

    secure_streams()
    sanitize_process()
    from harness.cli.app import main as run_command  # imports everything else

    run_command()
