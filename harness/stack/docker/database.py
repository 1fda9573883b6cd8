"""Setting up PostgreSQL in its container: connections, the observer's role, the publication."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from harness.contract.names import Contract
from harness.errors import StackError
from harness.stack.compose_file import ContainerSpec
from harness.stack.docker.containers import Containers
from harness.stack.docker.settings import StackPasswords
from harness.stack.ports import LOOPBACK
from harness.stack.postgres_roles import DATABASE, OWNER, make_role, open_to_observer

_CONNECT_MAX_S = 5
# The official image lets everybody in by password, but for the walsender it knows loopback only.
_LINE = "host replication all all scram-sha-256"
_IS_OPEN = (
    "SELECT count(*) FROM pg_hba_file_rules"
    " WHERE 'replication' = ANY(database) AND type = 'host' AND address = 'all'"
)


class Database:
    """The conninfos of one stack's PostgreSQL, and what is to be done once in it.

    Args:
        port: of the server.
        passwords: of the stack.
        contract: names of role, table and publication.
        host: of the server.
    """

    def __init__(
        self, port: int, passwords: StackPasswords, contract: Contract, host: str = LOOPBACK
    ) -> None:
        self._host = host
        self._port = port
        self._passwords = passwords
        self._contract = contract

    @property
    def admin_dsn(self) -> SecretStr:
        """Conninfo of the role that owns everything; the image makes it a superuser."""
        return self._dsn(OWNER, self._passwords.postgres)

    @property
    def observer_dsn(self) -> SecretStr:
        """Conninfo of the read-only role."""
        return self._dsn(self._contract.observer_role, self._passwords.observer)

    def make_observer(self, containers: Containers, spec: ContainerSpec) -> None:
        """Make the read-only role, and let it follow the log from outside the container.

        Raises:
            StackError: the server refuses.
        """
        role, password = self._contract.observer_role, self._passwords.observer
        try:
            with psycopg.connect(self.admin_dsn.get_secret_value(), autocommit=True) as session:
                make_role(session, role, "LOGIN REPLICATION", password.get_secret_value())
                (open_already,) = session.execute(_IS_OPEN).fetchone() or (0,)
                if not open_already:
                    self._open_log(containers, spec)
                    session.execute("SELECT pg_reload_conf()")
        except psycopg.Error as error:
            raise StackError(f"cannot be set up: {error}", where=spec.name) from error

    def open_to_observer(self) -> None:
        """Let the observer read the tables and follow one; after the migration.

        Raises:
            StackError: the server refuses.
        """
        contract = self._contract
        open_to_observer(
            self.admin_dsn.get_secret_value(),
            contract.observer_role,
            contract.tasks.table,
            contract.publication,
        )

    def _open_log(self, containers: Containers, spec: ContainerSpec) -> None:
        append = f"echo '{_LINE}' >> \"$PGDATA/pg_hba.conf\""
        code, output = containers.execute(
            containers.place.mark.name(spec.name), ["sh", "-c", append]
        )
        if code != 0:
            raise StackError(f"pg_hba.conf cannot be written: {output}", where=spec.name)

    def _dsn(self, role: str, password: SecretStr) -> SecretStr:
        # Names everything, so that no PG* variable of the user's shell changes it.
        return SecretStr(
            make_conninfo(
                "",
                host=self._host,
                port=self._port,
                dbname=DATABASE,
                user=role,
                password=password.get_secret_value(),
                sslmode="disable",
                gssencmode="disable",
                connect_timeout=_CONNECT_MAX_S,
            )
        )
