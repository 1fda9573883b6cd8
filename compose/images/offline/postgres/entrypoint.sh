#!/bin/sh
# Takes the settings that the official image takes: POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD
# and POSTGRES_INITDB_ARGS, and SQL files in /docker-entrypoint-initdb.d. The database answers on the
# network only once it is complete.
set -eu
if [ "$(id -u)" = 0 ]; then
    chown postgres "$PGDATA" && chmod 0700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/var/lib/postgresql "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    secret=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" > "$secret"
    # shellcheck disable=SC2086 # the arguments have no spaces
    initdb --username="$POSTGRES_USER" --pwfile="$secret" --auth-local=trust \
        --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA" > /dev/null
    rm -f "$secret"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -k /tmp" start > /dev/null
    [ "$POSTGRES_DB" = "$POSTGRES_USER" ] && [ "$POSTGRES_DB" = postgres ] ||
        psql -h /tmp -U "$POSTGRES_USER" -d postgres -qc "CREATE DATABASE \"$POSTGRES_DB\""
    for file in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -f "$file" ] || psql -h /tmp -U "$POSTGRES_USER" -d "$POSTGRES_DB" -q -v ON_ERROR_STOP=1 -f "$file"
    done
    pg_ctl -D "$PGDATA" -w -m fast stop > /dev/null
fi
exec "$@" -k /tmp
