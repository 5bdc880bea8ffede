#!/bin/sh
# Prepares the data folder and becomes the server. It runs under the lease, so nobody else uses the folder.
set -eu

: "${PGDATA:?}" "${POSTGRESQL_CONFIG:?}" "${POSTGRESQL_RUN:?}" "${POSTGRESQL_PASSWORD_FILE:?}"
ready=$POSTGRESQL_RUN/ready

say() {
    echo "postgresql: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# A data folder is made beside its place and moved there when it is complete.
make_data_folder() {
    rm -rf "$PGDATA.new"
    # shellcheck disable=SC2086 # the arguments are words
    initdb --pgdata="$PGDATA.new" --username=postgres --auth=trust ${POSTGRESQL_INITDB_ARGUMENTS:-} >&2
    rmdir "$PGDATA" 2>/dev/null || true
    mv -T "$PGDATA.new" "$PGDATA"
}

# PostgreSQL wants to own its files; with a squashed export the server's owner is the export's, whoever the pod runs as.
check_owner() {
    probe=${PGDATA%/*}/.owner
    : >"$probe"
    owner=$(stat -c %u "$probe")
    rm -f "$probe"
    [ "$owner" = "$(id -u)" ] || fail "files on the volume belong to uid $owner, this server runs as uid $(id -u); nothing was changed." \
        "Make the export's owner and anonuid, and postgresql_uid, the same"
    [ -e "$PGDATA" ] || return 0
    owner=$(stat -c %u "$PGDATA")
    [ "$owner" = "$(id -u)" ] || fail "the data folder $PGDATA belongs to uid $owner, this server runs as uid $(id -u); nothing was changed." \
        "Give it and all in it to uid $(id -u) on the storage server (chown -R), or make postgresql_uid $owner"
}

check_version() {
    found=$(cat "$PGDATA/PG_VERSION")
    program=$(postgres --version)
    program=${program##*(PostgreSQL) }
    program=${program%%[!0-9]*}
    [ "$found" = "$program" ] || fail "the data folder is of PostgreSQL $found, this image is PostgreSQL $program; nothing was changed." \
        "To upgrade: run the role with an image of PostgreSQL $found, dump everything (pg_dumpall), stop it," \
        "move the folder pgdata away, run the role with this image, and load the dump. See the role's README."
}

check_space() {
    free=$(df --output=avail -BM "$PGDATA" | tail -n 1)
    free=${free##* }
    [ "${free%M}" -ge 64 ] || say "the volume is full: $free are left. Make space or enlarge it and its quota;" \
        "the server stops when it cannot write, confirmed rows stay"
}

# Under the lease nobody else runs here. The number in a killed server's file may by now be that of any process of this pod.
forget_killed_server() {
    [ "${POSTGRESQL_LEASE_SECONDS:-0}" -eq 0 ] || rm -f "$PGDATA/postmaster.pid"
}

copy_certificate() {
    umask 077
    for name in tls.crt tls.key; do
        cp "$POSTGRESQL_TLS/$name" "$POSTGRESQL_RUN/$name.new"
        mv "$POSTGRESQL_RUN/$name.new" "$POSTGRESQL_RUN/$name"
    done
}

# A renewed certificate is taken over without a restart. The file's change is not announced to a container.
watch_certificate() {
    while sleep 60; do
        if ! cmp -s "$POSTGRESQL_TLS/tls.crt" "$POSTGRESQL_RUN/tls.crt"; then
            copy_certificate && pg_ctl reload --silent --pgdata="$PGDATA" && say "took over a new certificate"
        fi
    done
}

# The superuser's password comes from its Secret, over the local socket. It is logged by nobody.
set_password() {
    options="-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic"
    # The text in back quotes is run by psql.
    # shellcheck disable=SC2016
    {
        printf '%s\n' '\set password `cat "$POSTGRESQL_PASSWORD_FILE"`' "ALTER ROLE postgres WITH PASSWORD :'password';"
        [ -z "${POSTGRESQL_METRICS_ROLE:-}" ] || add_metrics_role
    } | PGOPTIONS=$options psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 postgres
}

# Without a password, it can sign in over the local socket only.
add_metrics_role() {
    printf '%s\n' "SELECT 'CREATE ROLE $POSTGRESQL_METRICS_ROLE LOGIN' WHERE NOT EXISTS" \
        "(SELECT FROM pg_roles WHERE rolname = '$POSTGRESQL_METRICS_ROLE') \\gexec" "GRANT pg_monitor TO $POSTGRESQL_METRICS_ROLE;"
}

# The server is ready when it has the password. A full volume or all connections in use stand in the way for a while only.
make_ready() {
    until pg_isready --quiet; do sleep 0.5; done
    until set_password; do
        say "the superuser's password could not be set, so the server is not ready yet; trying again"
        sleep "${POSTGRESQL_RETRY_SECONDS:-5}"
    done
    touch "$ready"
}

rm -f "$ready"
check_owner
if [ -s "$PGDATA/PG_VERSION" ]; then
    check_version
    check_space
    forget_killed_server
elif [ -d "$PGDATA" ] && [ -n "$(ls -A "$PGDATA")" ]; then
    fail "the folder $PGDATA holds files but no PostgreSQL data; move them away"
else
    make_data_folder
fi

if [ -n "${POSTGRESQL_TLS:-}" ]; then
    copy_certificate
    (watch_certificate &)
fi
# Twice forked: the server takes every child of its own for one of its processes.
(make_ready &)
exec postgres -D "$PGDATA" -c config_file="$POSTGRESQL_CONFIG/postgresql.conf"
