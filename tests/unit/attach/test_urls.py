"""URLs that a person writes: errors are named, and nothing of a login is repeated."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from harness.cli.watch import watch_run
from harness.contract.urls import read_url
from harness.errors import UsageError
from harness.observe.connection import is_pooled
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.attach.server_addresses import PostgresAddress, RedisAddress

_CONTRACT = (
    'schema_version = 1\nname = "desk"\n[redis]\nurl = {redis}\n[postgres]\nurl = {postgres}\n'
)
_GOOD = {"redis": "redis://a:1/0", "postgres": "postgresql://a/b"}
# Signs that no text of ours holds, so that any two of them in a row are the secret's.
_LETTERS = "QXZÄéßjñ"
_SPLITTERS = "@/?#%[]:&= \t\r\n\x00\x1f\x7f\\'\""
_SECRETS = st.tuples(
    st.text(_LETTERS + "7", min_size=4, max_size=6),
    st.text(_LETTERS + _SPLITTERS, max_size=6),
    st.text(_LETTERS + "7", min_size=4, max_size=6),
)
_REDIS_URLS = (
    "redis://:{}@host:6379/0", "redis://user:{}@host/0", "rediss://{}@host:1/0", "redis://{}/0",
    "redis://host:{}/0", "redis://host/{}", "redis://host/0?{}=1", "rediss://host/0?ssl_ca_certs{}",
    "rediss://host/0?ssl_cert_reqs={}", "redis+cluster://:{}@host", "{}://host", "redis://[{}]:1",
    "redis://host/0#{}", "{}", "redis://user:7/{}@host",
)  # fmt: skip
_POSTGRES_URLS = (
    "postgresql://user:{}@host/db", "postgresql://{}@/db", "postgresql://host:{}/db",
    "postgresql://host/db?sslmode={}", "postgresql://host/db?{}=1", "host=a dbname=b password={}",
    "host=a dbname=b pass {}", "host=a dbname=b port={}", "host={} dbname=b", "{}",
    "host=a dbname=b sslpassword={}", "postgresql://host/db#{}",
    "postgresql://user:7/{}@host/db",
)  # fmt: skip


def _refusal(tmp_path: Path, **urls: str) -> str:
    file = tmp_path / "contract.toml"
    quoted = {key: _toml(urls.get(key, good)) for key, good in _GOOD.items()}
    file.write_text(_CONTRACT.format(**quoted), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_attach_file(file)
    return str(caught.value)


def _toml(text: str) -> str:
    escaped = "".join(
        sign if sign.isalnum() and sign.isascii() else f"\\u{ord(sign):04x}" for sign in text
    )
    return f'"{escaped}"'


def _check_hidden(message: str, parts: tuple[str, str, str]) -> None:
    first, _, last = parts
    for part in (first, last, quote(first), quote(last)):
        pieces = {part[at : at + 3] for at in range(len(part) - 2)}
        assert not [piece for piece in pieces if piece in message]


@given(_SECRETS, st.sampled_from(_REDIS_URLS), st.booleans())
def test_no_error_repeats_a_part_of_a_redis_url(
    tmp_path_factory: pytest.TempPathFactory, parts: tuple[str, str, str], form: str, coded: bool
) -> None:
    """Wherever the URL splits the secret, no three signs of it in a row are shown."""
    secret = "".join(parts)
    url = form.format(quote(secret, safe="") if coded else secret)
    try:
        RedisAddress(url=url)
    except ValueError:
        _check_hidden(_refusal(tmp_path_factory.getbasetemp(), redis=url), parts)
    else:  # it may be a user, the path of a certificate, or a host
        at = RedisAddress(url=url)
        assert at.place.rpartition(":")[2].isdigit()
        assert at.database.isdigit()


@given(_SECRETS, st.sampled_from(_POSTGRES_URLS), st.booleans())
def test_no_error_repeats_a_part_of_a_conninfo(
    tmp_path_factory: pytest.TempPathFactory, parts: tuple[str, str, str], form: str, coded: bool
) -> None:
    """The same of PostgreSQL."""
    secret = "".join(parts)
    url = form.format(quote(secret, safe="") if coded else secret)
    try:
        PostgresAddress(url=url)
    except ValueError:
        _check_hidden(_refusal(tmp_path_factory.getbasetemp(), postgres=url), parts)


@given(
    _SECRETS,
    st.sampled_from(("http://u:{}@h:1/", "http://h:{}/", "tcp://u:{}@h:1", "http://[{}]")),
)
def test_no_error_repeats_a_part_of_another_url(parts: tuple[str, str, str], form: str) -> None:
    """The same of what `harness watch` refuses."""
    try:
        watch_run(form.format("".join(parts)), Path("nowhere"))
    except UsageError as error:
        _check_hidden(str(error), parts)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_password_arrives_as_it_is(password: str) -> None:
    """Every sign of it, in a URL and in a conninfo."""
    env = {"P": password}
    redis = (
        RedisAddress(url="redis://host:1/2", password_env="P").secret_url(env).get_secret_value()
    )
    found = read_url(redis, ("redis",))
    assert found.has_password
    assert (found.place, found.path) == ("host:1", "2")
    postgres = PostgresAddress(url="postgresql://host/db", password_env="P")
    assert (
        PostgresAddress.model_construct(url=postgres.secret_conninfo(env).get_secret_value()).parts[
            "password"
        ]
        == password
    )


@pytest.mark.parametrize(
    "server",
    [
        RedisAddress(url="redis://a", password_env="P"),
        PostgresAddress(url="postgresql://a/b", password_env="P"),
    ],
)
def test_a_password_that_is_no_text(server: RedisAddress | PostgresAddress) -> None:
    """Bytes of another encoding are refused without being shown."""
    with pytest.raises(UsageError, match="P not UTF-8") as caught:
        server.credentials("redis", {"P": "abc\udce9"})
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://host:99999/0", "is the port a number up to 65535"),
        ("redis://host:0/0", "port: Input should be greater than or equal to 1"),
        ("redis://:6379/0", "names no host"),
        ("redis://host/zero", "its database is no number"),
        ("redis://host/0?ssl_ca_certs=/x", "write rediss:// for it"),
        ("rediss://host/0?ssl_ca_cert=/x", "none of: ca, cert, key, ssl_ca_certs"),
        ("rediss://host/0?ssl_cert_reqs=maybe", "ssl_cert_reqs: Input should be 'none'"),
        ("rediss://host/0?ssl_check_hostname=maybe", "ssl_check_hostname: Input should be a valid"),
        ("redis://host/0?timeout=1", "has options, which are those of TLS"),
        ("rediss://host/0?x", "its options are not name=value"),
        ("http://host", "begins with none of redis://, rediss://"),
    ],
)
def test_redis_urls(tmp_path: Path, url: str, problem: str) -> None:
    """What cannot be used is refused before anything is searched for."""
    assert problem in _refusal(tmp_path, redis=url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://host:99999/db", "port: Input should be less than or equal to 65535"),
        ("postgresql://host:0/db", "port: Input should be greater than or equal to 1"),
        ("postgresql:///db", "names no host"),
        ("postgresql://a,b%20c/db", "host: names no host"),
        ("postgresql://a:1,b:70000/db", "less than or equal to 65535"),
        ("host=a,b,c port=1,2 dbname=d", "one port for all hosts, or one for each host"),
        ("host=a,b hostaddr=1.1.1.1 dbname=d", "one hostaddr for each host"),
        ("postgresql://host/db?sslmode=yes", "sslmode: Input should be 'disable'"),
        ("postgresql://host/db?target_session_attrs=writable", "target_session_attrs: Input"),
        ("postgresql://host/db?service=x", "has an option that is none of: application_name"),
        ("postgresql://host/db?connect_timeout=soon", "connect_timeout: Input should be a valid"),
        ("postgresql://host/db?nonsense=1", "write postgresql://host:port/database"),
    ],
)
def test_postgres_urls(tmp_path: Path, url: str, problem: str) -> None:
    """The same of PostgreSQL."""
    assert problem in _refusal(tmp_path, postgres=url)


@pytest.mark.parametrize(
    ("url", "place", "attributes"),
    [
        ("postgresql://a/d", "a:5432", None),
        ("postgresql://a,b/d", "a:5432,b:5432", "primary"),
        ("postgresql://a:1,b/d", "a:1,b:5432", "primary"),
        ("host=a,b port=7 dbname=d", "a:7,b:7", "primary"),
        ("postgresql://a:1,b:2/d?target_session_attrs=any", "a:1,b:2", "any"),
        ("postgresql://a/d?target_session_attrs=read-write", "a:5432", "primary"),
    ],
)
def test_of_several_hosts_the_primary_is_asked_for(
    url: str, place: str, attributes: str | None
) -> None:
    """Sessions are read-only, so that libpq would accept none as read-write."""
    address = PostgresAddress(url=url)
    parts = conninfo_to_dict(address.secret_conninfo({}).get_secret_value())
    assert address.place == place
    assert parts.get("target_session_attrs") == attributes
    assert parts["options"] == "-c default_transaction_read_only=on"


def test_a_pooler_is_given_no_start_up_options() -> None:
    """It refuses them; every connection of the harness knows that it is one."""
    address = PostgresAddress(url="postgresql://a/d", pooler=True)
    parts = conninfo_to_dict(address.secret_conninfo({}).get_secret_value())
    assert "options" not in parts
    assert is_pooled(parts)
    assert not is_pooled(conninfo_to_dict("host=a dbname=d"))
