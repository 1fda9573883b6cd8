"""What an error of a container engine means for a person, and what to do about it; pure.

Engines answer with a status and a sentence, and only the sentence distinguishes the causes: a
registry that has no such image and one that wants a login both come as 404 or 500. The texts are
those of Docker Engine 20.10 to 29 and of Podman 4 and 5 with Docker's API; where they come from
(moby, containerd, runc, crun, distribution, containers/image) stands next to the messages of
`tests/unit/docker/test_explain.py`. A text that no rule knows is shown as it is.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

from harness.printable import without_secrets
from harness.stack.docker.error_causes import MEANINGS, START, USAGE, WITHOUT_MESSAGE, Cause

# A stack trace of a runtime or a whole HTML page is no help.
_WORDS_MAX = 400
_HEAD = 150


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it came.

    Attributes:
        message: the engine's sentence, or the text of an exception.
        status: of its HTTP answer; None where no engine answered.
        number: errno of the system call that failed; None where none did.
        user: who this process runs as, for what may be typed to mend it.
    """

    message: str
    status: int | None = None
    number: int | None = None
    user: str = "USER"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The same error for a person; `is_usage` where only another command mends it."""

    cause: Cause
    what: str
    hint: str
    is_usage: bool = False


def explain(failure: Failure) -> Explanation:
    """The cause of an error, in a sentence, and what to do."""
    text = to_single_line(failure.message)
    cause = _cause_of(failure)
    if cause is Cause.UNKNOWN:
        if failure.status is None:
            return Explanation(cause, f"no container engine answers: {text}", START)
        return Explanation(cause, text, "")
    if cause in WITHOUT_MESSAGE:
        return meaning(cause, user=failure.user)
    return meaning(cause, text if failure.status is None else f"the engine says: {text}")


def meaning(cause: Cause, detail: str = "", user: str = "USER") -> Explanation:
    """What a cause means, with what makes it certain."""
    text, hint = MEANINGS[cause]
    what = f"{text} ({detail})" if detail else text
    return Explanation(cause, what, hint.format(user=user), is_usage=cause in USAGE)


def to_single_line(message: str) -> str:
    """A message on one line of bounded length, without logins of its addresses.

    Its end stays, since engines put the cause after all that failed because of it.
    """
    line = without_secrets(" ".join(message.split()))
    if len(line) <= _WORDS_MAX:
        return line
    return f"{line[:_HEAD]} ... {line[_HEAD - _WORDS_MAX :]}"


def _cause_of(failure: Failure) -> Cause:
    rules = _ANSWERS if failure.status is not None else _CONNECTIONS
    for cause, pattern in rules:
        if pattern.search(failure.message):
            return cause
    number = failure.number
    if number is None:
        return Cause.UNKNOWN
    return (_DISK_NUMBERS if failure.status is not None else _NUMBERS).get(number, Cause.UNKNOWN)


def _rules(*pairs: tuple[Cause, str]) -> tuple[tuple[Cause, re.Pattern[str]], ...]:
    return tuple((cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in pairs)


_DISK_NUMBERS = dict.fromkeys((errno.ENOSPC, errno.EDQUOT), Cause.DISK_FULL)
_NUMBERS = {
    **_DISK_NUMBERS,
    errno.EACCES: Cause.FORBIDDEN,
    errno.EPERM: Cause.FORBIDDEN,
    errno.ENOENT: Cause.ABSENT,
    errno.ENOTDIR: Cause.ABSENT,
    errno.ECONNREFUSED: Cause.ABSENT,
    **dict.fromkeys(
        (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.ECONNRESET),
        Cause.UNREACHABLE,
    ),
}

# Where no engine answered. The first rule that fits counts; TLS comes before the numbers, since
# the number of an SSLError is OpenSSL's own and means something else as an errno.
_CONNECTIONS = _rules(
    (
        Cause.BAD_ADDRESS,
        r"invalid bind address|port could not be cast|port out of range|invalid ipv6"
        r"|is only supported on windows|protocol is not implemented|failed to parse"
        r"|invalid url|path too long|invalid port|label (empty|too long)|unsupported url",
    ),
    (
        Cause.TLS,
        r"certificate|tlsv1|wrong.version.number|ssl|path to a certificate|tls (config|handshake)"
        r"|base_url argument must be provided",
    ),
    (Cause.ELSEWHERE, r"paramiko"),
    (Cause.ENGINE_TOO_OLD, r"api versions below"),
    (
        Cause.NO_ENGINE,
        r"badstatusline|expecting value|invalid response from docker daemon|not well-formed"
        r"|\b404\b|remotedisconnected|illegal (status|header)",
    ),
    (Cause.BUSY, r"read timed out"),
    (Cause.UNREACHABLE, r"timed out|failed to resolve|name or service not known|getaddrinfo"),
)

# What an engine answers. Causes whose texts others may contain come first.
_ANSWERS = _rules(
    (Cause.CLIENT_TOO_OLD, r"client version \S+ is too old"),
    (Cause.ENGINE_TOO_OLD, r"client version \S+ is too new|api versions below"),
    (Cause.TLS, r"sent an http request to an https server"),
    (Cause.RATE_LIMIT, r"toomanyrequests|too many requests|pull rate limit"),
    (Cause.DISK_FULL, r"no space left on device|disk quota exceeded|not enough (free )?space"),
    (
        Cause.CREDENTIALS,
        r"credentials? store error|error getting credentials|docker-credential-\S+",
    ),
    (
        Cause.BAD_IMAGE_NAME,
        r"invalid reference format|repository name must be lowercase|invalid repository name"
        r"|short-?name\b.*did not resolve|unqualified-search registries are defined"
        r"|not a valid repository/tag",
    ),
    (
        Cause.PLATFORM,
        r"no matching manifest for|no match for platform in|not match the specified platform"
        r"|no image found in (manifest list|image index) for architecture",
    ),
    (Cause.ARCHITECTURE, r"exec format error"),
    (
        Cause.PORT_IN_USE,
        r"address already in use|port is already allocated|ports are not available",
    ),
    (Cause.PORT_FORBIDDEN, r"expose privileged port|bind: permission denied"),
    (
        Cause.NO_COMMAND,
        r"executable file (`[^`]*` )?not found|no command specified"
        r"|invoke a command that was not found|command not found error"
        r"|exec: \"[^\"]*\": (stat [^:]*: )?(no such file|permission denied|is a directory)",
    ),
    (
        Cause.NO_SUBNET,
        r"non-overlapping ipv4 address pool|address pools have been fully subnetted"
        r"|could not find free subnet",
    ),
    (Cause.FIREWALL, r"ip6?tables|nftables|no chain/target/match|skip dnat rule"),
    (
        Cause.OUT_OF_MEMORY,
        r"oom-killed|minimum memory limit allowed|cannot allocate memory|memory limit too low",
    ),
    (
        Cause.CONTROL_GROUP,
        r"cgroup(s)? (is )?not mounted|cgroup controller|does not support (cpu|memory|swap)"
        r"|unable to apply cgroup|cpu\.(max|cfs_quota_us)",
    ),
    (
        Cause.MOUNT,
        r"mounts denied|not shared from the host|bind source path does not exist"
        r"|error while mounting volume|invalid mount config",
    ),
    (
        Cause.NO_IMAGE,
        r"repository does not exist|pull access denied|manifest (for .* )?(unknown|not found)"
        r"|requested access to the resource is denied|name unknown|no such image|image not known"
        r"|failed to resolve reference .*not found|reading manifest .*(unknown|not found|404)",
    ),
    (
        Cause.LOGIN,
        r"unauthorized|authentication required|no basic auth credentials|incorrect username"
        r"|^denied\b|invalid username/password|403 forbidden|authorization failed"
        r"|(get|head) \"https?://[^\"]*\": denied",
    ),
    (
        Cause.REGISTRY_TLS,
        r"x509: |http response to https client|failed to verify certificate|tls: ",
    ),
    (
        Cause.REGISTRY,
        r"no such host|name resolution|server misbehaving|dial (tcp|udp)|i/o timeout"
        r"|tls handshake timeout|client\.timeout exceeded|context deadline exceeded"
        r"|connection refused|network is unreachable|no route to host|proxyconnect|pinging"
        r"|connection reset by peer|unexpected eof|\": eof|\b50[0234] (bad|service|gateway)",
    ),
)
