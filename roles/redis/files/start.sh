#!/bin/sh
# Prepares the data folder and becomes the server. It runs under the lease, so nobody else uses the folder.
set -eu

: "${REDIS_DATA:?}" "${REDIS_CONFIG:?}" "${REDIS_PASSWORD_FILE:?}" "${REDIS_PORT:?}"
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

cli() {
    REDISCLI_AUTH=$(cat "$REDIS_PASSWORD_FILE") redis-cli -p "$REDIS_PORT" ${REDIS_TLS:+--tls --insecure} "$@"
}

# What the server has written may fail later on its way to the volume. That leaves a hole in the log, with which no server
# would start. What is in memory is whole: as soon as the volume takes writes again, the log is written anew from it.
watch_log() {
    # The server will have the number of this process.
    while kill -0 $$ 2>/dev/null; do
        cli -r -1 -i 0.5 info persistence 2>/dev/null | mend_log
        sleep 1
    done
}

# Reads the server's statistics as they come; the state of the last write is the last of those that count.
mend_log() {
    end=$(printf '\r') log=whole rewriting=0 rewritten=ok rewrites=0 begun=0 rest=0
    while IFS=: read -r name value; do
        value=${value%"$end"}
        case $name in
        aof_rewrite_in_progress) rewriting=$value ;;
        aof_last_bgrewrite_status) rewritten=$value ;;
        aof_rewrites) rewrites=$value ;;
        aof_last_write_status) judge_log "$value" ;;
        esac
    done
}

# The log is whole, broken, or being written anew since there were so many rewrites. After a failure it rests for 20 looks.
judge_log() {
    if [ "$1" != ok ]; then
        [ $log = broken ] || say "the volume refused a part of the log, which is written anew as soon as there is space"
        log=broken
    elif [ $log = whole ] || [ "$rewriting" != 0 ]; then
        :
    elif [ $log = broken ]; then
        rest=$((rest - 1))
        [ $rest -ge 0 ] || { cli bgrewriteaof >/dev/null 2>&1 && log=anew begun=$rewrites; } || rest=20
    elif [ "$rewrites" -gt "$begun" ] && [ "$rewritten" = ok ]; then
        say "the log was written anew and is whole"
        log=whole
    elif [ "$rewrites" -gt "$begun" ]; then
        log=broken rest=20
    fi
}

# A renewed certificate is taken over without a restart. The file's change is not announced to a container.
watch_certificate() {
    seen=$(sha256sum <"$REDIS_TLS/tls.crt")
    while sleep 60; do
        now=$(sha256sum <"$REDIS_TLS/tls.crt")
        [ "$now" != "$seen" ] || continue
        cli config set tls-cert-file "$REDIS_TLS/tls.crt" tls-key-file "$REDIS_TLS/tls.key" >/dev/null &&
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
(watch_log &)
exec redis-server "$REDIS_CONFIG"
