#!/bin/sh
# Prepares the data folder and becomes the server. It runs under the lease, so nobody else uses the folder.
set -eu

: "${REDIS_DATA:?}" "${REDIS_CONFIG:?}" "${REDIS_PASSWORD_FILE:?}"
acl=$REDIS_DATA/users.acl

say() {
    echo "redis: $*" >&2
}

# The file of users belongs to the running server, which keeps more than one password in it while one is changed. Here is only
# made sure that the newest one is among them. The file holds hashes.
write_users() {
    hash=$(sha256sum <"$REDIS_PASSWORD_FILE")
    hash=${hash%% *}
    if [ -s "$acl" ]; then
        cp "$acl" "$acl.new"
    else
        printf 'user default on ~* &* +@all\nuser probe on nopass -@all +ping\n' >"$acl.new"
    fi
    sed -i '/^user metrics /d' "$acl.new"
    [ -z "${REDIS_METRICS:-}" ] || echo "user metrics on nopass -@all +ping +info +client|setname" \
        "+latency|histogram +latency|latest +slowlog|len +slowlog|get" >>"$acl.new"
    grep -q "^user default .*#$hash" "$acl.new" || sed -i "s/^user default .*/& #$hash/" "$acl.new"
    mv "$acl.new" "$acl"
}

check_space() {
    free=$(df --output=avail -BM "$REDIS_DATA" | tail -n 1)
    free=${free##* }
    [ "${free%M}" -ge 32 ] || say "the volume is full: $free are left. Make space or enlarge it and its quota;" \
        "the server refuses writes when it cannot keep them"
}

# A renewed certificate is taken over without a restart. The file's change is not announced to a container.
watch_certificate() {
    seen=$(sha256sum <"$REDIS_TLS/tls.crt")
    while sleep 60; do
        now=$(sha256sum <"$REDIS_TLS/tls.crt")
        [ "$now" != "$seen" ] || continue
        REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE") redis-cli -p "$REDIS_PORT" --tls --insecure \
            config set tls-cert-file "$REDIS_TLS/tls.crt" tls-key-file "$REDIS_TLS/tls.key" >/dev/null &&
            seen=$now && say "took over a new certificate"
    done
}

umask 077
mkdir -p "$REDIS_DATA"
if [ ! -O "$REDIS_DATA" ]; then
    say "the data folder belongs to uid $(stat -c %u "$REDIS_DATA"), this server runs as uid $(id -u):" \
        "make the export's owner and anonuid, and redis_uid, the same"
    exit 1
fi
check_space
write_users
if [ -n "${REDIS_TLS:-}" ]; then
    (watch_certificate &)
fi
exec redis-server "$REDIS_CONFIG"
