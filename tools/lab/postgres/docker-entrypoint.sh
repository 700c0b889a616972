#!/bin/bash
# Starts PostgreSQL the way the stock image does: prepares an empty data directory from the POSTGRES_*
# variables, runs /docker-entrypoint-initdb.d once, and gives its place to the server. Any other command
# runs as it is, as whichever user the container was started with.
set -Eeuo pipefail

fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# Sets and exports a variable from the file that VARIABLE_FILE names, or to its default; both at once is
# a mistake. Only root may be able to read the file, so this comes before the change of user.
setting() {
    local name=$1 default=${2:-} file=${1}_FILE value
    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "both $name and $file are set; set one of them"
    elif [ -n "${!file:-}" ]; then
        value=$(< "${!file}")
    else
        value=${!name:-$default}
    fi
    export "$name=$value"
    unset "$file"
}

# From version 18 on the volume is one level higher: data or a volume at an old place would stay unseen.
refuse_old_places() {
    [ "$PG_MAJOR" -ge 18 ] && [ "$PGDATA" = "/var/lib/postgresql/$PG_MAJOR/docker" ] || return 0
    local place
    for place in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
        if [ -s "$place/PG_VERSION" ]; then
            fail "there is data of another version or layout in $place; this image keeps its own in $PGDATA"
        fi
    done
    if mountpoint -q /var/lib/postgresql/data; then
        fail "a volume is mounted at /var/lib/postgresql/data, which this image does not use;" \
            "mount it at /var/lib/postgresql"
    fi
}

initialise() {
    [ -n "$password" ] || [ "$host_auth" = trust ] ||
        fail "the database is not initialised and no superuser password is given; set POSTGRES_PASSWORD" \
            "(or POSTGRES_HOST_AUTH_METHOD=trust, which lets everybody in)"
    local -a extra=()
    # Word splitting is this variable's contract.
    # shellcheck disable=SC2206
    [ -z "${POSTGRES_INITDB_ARGS:-}" ] || extra=($POSTGRES_INITDB_ARGS)
    if [ -n "$password" ]; then
        initdb --username="$user" --pwfile=<(printf '%s\n' "$password") "${extra[@]}"
    else
        initdb --username="$user" "${extra[@]}"
    fi
    printf '\nhost all all all %s\n' "$host_auth" >> "$PGDATA/pg_hba.conf"
}

query() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
        --username "$user" --dbname "$database" "$@"
}

run_init_file() {
    case $1 in
        *.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
        *.sql) query -f "$1" ;;
        *.sql.gz) gunzip -c "$1" | query ;;
        *.sql.xz) xz -dc "$1" | query ;;
        *.sql.zst) zstd -dc "$1" | query ;;
        *) printf '%s: ignoring %s\n' "$0" "$1" ;;
    esac
}

first_start() {
    initialise
    export PGPASSWORD=${PGPASSWORD:-$password}
    # Reachable by its socket only, so that no client takes it for the finished server.
    pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses='' -p ${PGPORT:-5432}"
    if [ "$database" != postgres ]; then
        database=postgres query --set name="$database" <<< 'CREATE DATABASE :"name"'
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        if [ -e "$file" ]; then run_init_file "$file"; fi
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

[ "${1:0:1}" != - ] || set -- postgres "$@"

if [ "$1" = postgres ]; then
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        chmod 0700 "$PGDATA"
        chown postgres /var/run/postgresql
        chmod 3777 /var/run/postgresql
        HOME=/var/lib/postgresql exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        refuse_old_places
        password=$POSTGRES_PASSWORD
        user=$POSTGRES_USER
        database=$POSTGRES_DB
        host_auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
        first_start
    fi
fi

exec "$@"
