"""What Redis itself has to be, and what its login must be allowed: nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import redis
from redis import exceptions

from harness.contract.names import Contract
from harness.errors import Exit
from harness.redis_connection import tls_problem
from harness.stack.attach.check import (
    PreflightCheck,
    Problem,
    check_from,
    failed_check,
    not_applicable,
)
from harness.stack.attach.contract_file import AttachFile

SERVER = ("redis.mode", "redis.slots", "redis.memory", "redis.rights", "redis.write")
# What a login needs, as ACL SETUSER takes it; docs/attach.md has the same, and a test holds both.
RIGHTS = "+@read +@connection +select +info +time +multi +exec +xadd"
# Of a cluster these too.
CLUSTER_RIGHTS = "+cluster|slots +cluster|info"
_RIGHTS_HINT = (
    f"ACL SETUSER <user> {RIGHTS}, with ~<pattern> for the keys of the contract;"
    f" of a cluster {CLUSTER_RIGHTS} too"
)
_LOGIN_HINT = "user_env and password_env of the contract name the variables that hold the login"
_DOWN_HINT = (
    "is it up, and can it be reached from here? The contract says where it is;"
    " a server that closes the connection may require TLS (rediss://), one that does not answer"
    " rediss:// may not use TLS on this port"
)
# No stream entry has such an id, so that XADD is refused by the command itself after everything
# that comes before it: rights, memory, disk, replicas, slots of a cluster. Nothing is written.
_NO_ID = "harness-check"
_NO_ID_SAID = "stream id"
# Kinds of errors and texts in them; the check, its hint (none: see `_why`), and the exit code.
_Kinds = tuple[type[Exception], ...]
_REFUSALS: tuple[tuple[_Kinds, tuple[str, ...], str, str, Exit], ...] = (
    (
        (exceptions.BusyLoadingError,),
        ("LOADING",),
        "redis.reachable",
        "it is loading its data; try again when it has them",
        Exit.STACK,
    ),
    (
        (),
        ("max number of clients",),
        "redis.reachable",
        "end clients, or raise maxclients",
        Exit.STACK,
    ),
    (
        (exceptions.RedisClusterException,),
        ("Cluster mode is not enabled",),
        "redis.mode",
        "the server is not a node of a cluster; write redis:// for it",
        Exit.USAGE,
    ),
    ((exceptions.MovedError, exceptions.AskError), (), "redis.mode", "", Exit.USAGE),
    (
        (exceptions.MasterDownError,),
        (),
        "redis.mode",
        "it is a replica without its master; give the address of the master",
        Exit.USAGE,
    ),
    # After MasterDownError, which is one of its kinds.
    ((exceptions.ClusterDownError,), (), "redis.mode", "", Exit.STACK),
    # With a failed snapshot not even PING is answered.
    ((), ("MISCONF",), "redis.write", "", Exit.STACK),
    ((exceptions.NoPermissionError,), ("NOPERM",), "redis.rights", _RIGHTS_HINT, Exit.USAGE),
    (
        (exceptions.AuthenticationError,),
        ("NOAUTH", "WRONGPASS"),
        "redis.login",
        _LOGIN_HINT,
        Exit.USAGE,
    ),
    (
        (),
        ("DB index", "Invalid Database", "SELECT is not allowed"),
        "redis.database",
        "redis.url names a database that there is not; the first one is /0",
        Exit.USAGE,
    ),
    (
        (),
        ("protected mode",),
        "redis.login",
        "protected mode admits only its own host without a password",
        Exit.USAGE,
    ),
)


def refused(error: Exception, where: str) -> PreflightCheck:
    """A failed connection, or a command that the server refused, as a check."""
    message, text = f"{where}: {error}", str(error)
    for kinds, parts, check, hint, code in _REFUSALS:
        if isinstance(error, kinds) or any(part in text for part in parts):
            return failed_check(check, message, hint or _why(error, {}), code)
    if problem := tls_problem(text):
        return failed_check(
            "redis.reachable", f"{where}: {problem.message}", problem.hint, Exit.USAGE
        )
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return failed_check("redis.reachable", message, _DOWN_HINT, Exit.STACK)
    return failed_check("redis.rights", message, _RIGHTS_HINT)


def server_checks(client: redis.Redis, file: AttachFile) -> list[PreflightCheck]:
    """Whether signals can be written to this server, and the rest be read.

    Raises:
        redis.RedisError: it does not answer, or INFO is refused.
    """
    info: Any = client.info()
    contract = file.contract()
    mode = check_from(
        "redis.mode", _mode_problems(info), f"Redis {info['redis_version']}, a master"
    )
    if mode.is_failed:
        return [mode]
    key = contract.key(contract.streams.proposals)
    refusal = _refusal(client, contract)
    barred = []
    write = check_from("redis.write", (), f"{key} can be written now")
    if isinstance(refusal, exceptions.NoPermissionError):
        barred = [Problem(f"the login may not run XADD {key}", _RIGHTS_HINT)]
        write = not_applicable("redis.write", "redis.rights is not ok")
    elif refusal is not None:
        elsewhere = isinstance(refusal, exceptions.MovedError | exceptions.AskError)
        write = failed_check(
            "redis.write",
            f"Redis would refuse a signal: {refusal}",
            _why(refusal, info),
            Exit.USAGE if elsewhere else Exit.STACK,
        )
    return [
        mode,
        check_from("redis.memory", (), *_memory(info)),
        check_from(
            "redis.rights",
            [*_rights_problems(client, contract), *barred],
            "the login may run every command of a run",
        ),
        write,
    ]


def _mode_problems(info: Mapping[str, Any]) -> Iterator[Problem]:
    """Kinds of servers that signals cannot be sent to; pure."""
    if info.get("redis_mode") == "sentinel":
        yield Problem("this is a Sentinel, which keeps no data", "give the address of the master")
    elif info.get("role") == "slave":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        yield Problem(
            f"this is a replica of {master}: what is written to it is refused or lost",
            "give the address of the master",
        )


def _memory(info: Mapping[str, Any]) -> tuple[str, str]:
    """How full it is, and a hint where Redis may drop the stream itself; pure."""
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if not most:
        return "no maxmemory", ""
    hint = ""
    if policy.startswith("allkeys"):
        hint = f"with {policy} Redis drops whole streams when the memory is full: noeviction"
    return f"{used / most:.0%} of maxmemory in use, {policy}", hint


def _rights_problems(client: redis.Redis, contract: Contract) -> Iterator[Problem]:
    """Each command that a run reads with, once."""
    lacking = [name for name, ask in _reads(client, contract).items() if _is_barred(ask)]
    if lacking:
        yield Problem(f"the login may not run {', '.join(lacking)}", _RIGHTS_HINT)


def _reads(client: redis.Redis, contract: Contract) -> dict[str, Callable[[], Any]]:
    streams = contract.streams
    key = contract.key(streams.proposals)
    keys = [contract.key(name) for name in (streams.proposals, streams.chain_events) if name]
    group = streams.engine_group or "harness"
    found: dict[str, Callable[[], Any]] = {
        "TIME": client.time,
        "MULTI and EXEC": lambda: _transaction(client),
        "XPENDING": lambda: client.xpending_range(key, group, "-", "+", 1),
        "XINFO GROUPS": lambda: client.xinfo_groups(key),
        "XINFO STREAM": lambda: client.xinfo_stream(key),
    }
    if contract.seen.stream:
        keys.append(contract.key(contract.seen.stream))
    for one in keys:
        found |= {
            f"TYPE {one}": partial(client.type, one),
            f"EXISTS {one}": partial(client.exists, one),
            f"XLEN {one}": partial(client.xlen, one),
            f"XREVRANGE {one}": partial(client.xrevrange, one, count=1),
            f"XRANGE {one}": partial(client.xrange, one, count=1),
            f"XREAD {one}": partial(client.xread, {one: "$"}),
        }
    return found


def _transaction(client: redis.Redis) -> None:
    with client.pipeline(transaction=True) as pipe:
        pipe.time()
        pipe.execute()


def _is_barred(ask: Callable[[], Any]) -> bool:
    try:
        ask()
    except exceptions.NoPermissionError:
        return True
    except exceptions.ResponseError as error:
        # The rest is no such key or group, or one of another type: another check reports it.
        return "unknown command" in str(error).lower()
    return False


def _refusal(client: redis.Redis, contract: Contract) -> Exception | None:
    """Why Redis would refuse a signal: asked by an XADD that it cannot carry out."""
    streams = contract.streams
    trim = () if streams.proposals_maxlen is None else ("MAXLEN", "~", streams.proposals_maxlen)
    ask: Any = client.execute_command  # has no types
    try:
        ask("XADD", contract.key(streams.proposals), *trim, _NO_ID, streams.field, "")
    except (exceptions.ConnectionError, exceptions.TimeoutError):
        raise
    except exceptions.RedisError as error:
        return None if _NO_ID_SAID in str(error).lower() else error
    return None


def _why(error: Exception, info: Mapping[str, Any]) -> str:
    """What to do about a refusal; pure."""
    text = str(error)
    if isinstance(error, exceptions.OutOfMemoryError) or "maxmemory" in text:
        return f"raise maxmemory or make room ({_memory(info)[0]})"
    if "MISCONF" in text:
        return "Redis could not save its data: see its log, its disk and its last_bgsave_status"
    if "NOREPLICAS" in text:
        return "min-replicas-to-write is not met: are its replicas up?"
    if isinstance(error, exceptions.MovedError | exceptions.AskError):
        return "another node of the cluster owns the stream; give the address of that node"
    if isinstance(error, exceptions.ClusterDownError):
        return "the cluster does not serve every slot"
    if isinstance(error, exceptions.ReadOnlyError):
        return "give the address of the master"
    return "see the log of Redis"
