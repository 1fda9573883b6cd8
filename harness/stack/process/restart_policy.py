"""When an ended service is started again; Docker's rules, but bounded."""

from __future__ import annotations

from dataclasses import dataclass

from harness.clock import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How often and how soon.

    The waits are those of Docker's `always`: 100 ms, doubled each time, back to the start after
    10 s of uptime (https://docs.docker.com/reference/cli/docker/container/run/#restart). Docker
    goes on for ever; here a service that ended `retries_max + 1` times in a row counts as lost
    (the waits of eight retries add up to 25.5 s).
    """

    retries_max: int = 8
    first_wait_ns: int = 100 * NS_PER_MS
    reset_after_ns: int = 10 * NS_PER_S

    def after_exit(self, failures: int, uptime_ns: int) -> tuple[int, int | None]:
        """What follows when a service has ended.

        Args:
            failures: ends in a row before this one.
            uptime_ns: how long it ran this time.

        Returns:
            ends in a row, this one included, and the wait before the restart in ns; None to let
            it lie.
        """
        count = 1 if uptime_ns >= self.reset_after_ns else failures + 1
        if count > self.retries_max:
            return count, None
        return count, self.first_wait_ns * 2 ** (count - 1)


ALWAYS = RestartPolicy()
NEVER = RestartPolicy(retries_max=0)
