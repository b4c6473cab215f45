#!/bin/sh
# Makes what mosquitto/production.conf needs: the site's own authority, certificates, passwords, access lists.
#
#   sh scripts/make_certificates.sh authority FOLDER SITE        once a site; FOLDER/broker is what the broker gets
#   sh scripts/make_certificates.sh server FOLDER HOST...        the broker's, for each name or address it is called by
#   sh scripts/make_certificates.sh agent FOLDER GATEWAY         an edge agent's
#   sh scripts/make_certificates.sh program FOLDER ROLE          bridge, sink, console, push or watch
#   sh scripts/make_certificates.sh device FOLDER DEVICE         a password for a device that publishes by itself
#   sh scripts/make_certificates.sh password FOLDER GATEWAY      a password for an agent that shall have no certificate
#   sh scripts/make_certificates.sh block FOLDER GATEWAY         shut an agent out; then send the broker SIGHUP
#
# Said twice it changes nothing the second time, and it never writes over what is there. Options stand in front:
#   --days N   how long a certificate is good (authority 3650, others 397); a short life needs no list of the revoked
#   --renew    make a certificate or password anew where one is there; the old one is kept beside it
set -eu
umask 077

days=
renew=
while [ $# -gt 0 ]; do
    case $1 in
    --days) days=${2:?--days needs a number}; shift 2 ;;
    --renew) renew=yes; shift ;;
    -h | --help) sed -n '2,/^set/p' "$0" | sed -e '/^set/d' -e 's/^# \{0,1\}//'; exit 0 ;;
    -*) echo "make_certificates.sh: no such option: $1" >&2; exit 2 ;;
    *) break ;;
    esac
done
here=$(cd "$(dirname "$0")/.." && pwd)

fail() { echo "make_certificates.sh: $*" >&2; exit 1; }
say() { echo "$*"; }

case ${days:-1} in
*[!0-9]* | 0) fail "--days takes a number of days, not '$days'" ;;
esac
[ $# -ge 2 ] || fail "say what to make and in which folder; --help tells more"
what=$1
folder=$2
broker=$folder/broker
shift 2

# A name becomes part of topics and of file names.
check_name() {
    case $1 in
    '' | -* | _* | *[!A-Za-z0-9_-]*) fail "'$1' is no name: letters, digits, - and _, letter or digit first" ;;
    esac
    [ ${#1} -le 64 ] || fail "'$1' is longer than 64 characters"
}

until_of() { openssl x509 -noout -enddate -in "$1" | cut -d= -f2; }

# What is there is kept, unless it is to be renewed: then it is set aside.
is_there() {
    [ -e "$1" ] || return 1
    [ -n "$renew" ] || return 0
    number=1
    while [ -e "$1.old-$number" ]; do number=$((number + 1)); done
    mv "$1" "$1.old-$number"
    return 1
}

need_authority() {
    [ -e "$folder/authority.key" ] || fail "no authority in $folder: make it first, or bring its key"
}

new_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.new" 2>/dev/null
    mv "$1.new" "$1"
}

# sign FILE NAME EXTENSIONS: a certificate for the key FILE.key, written aside first so that none is ever half there.
sign() {
    [ -e "$1.key" ] || new_key "$1.key"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    printf '%s\n' "$3" 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' >"$work/extensions"
    openssl req -new -key "$1.key" -subj "/CN=$2" -out "$work/request" 2>/dev/null
    openssl x509 -req -in "$work/request" -CA "$folder/authority.crt" -CAkey "$folder/authority.key" \
        -set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" -days "${days:-397}" -sha256 -extfile "$work/extensions" \
        -out "$1.crt.new" 2>/dev/null
    chmod 644 "$1.crt.new"
    mv "$1.crt.new" "$1.crt"
    say "made $1.crt for $2, good until $(until_of "$1.crt")"
}

broker_files() {
    for name in agents devices programs; do
        [ -e "$broker/$name.acl" ] && continue
        sed "s/SITE/$1/g" "$here/mosquitto/$name.acl" >"$broker/$name.acl.new"
        mv "$broker/$name.acl.new" "$broker/$name.acl"
    done
    [ -e "$broker/devices.passwords" ] || : >"$broker/devices.passwords"
    for name in production.conf run.sh; do
        [ -e "$broker/$name" ] || cp "$here/mosquitto/$name" "$broker/$name"
    done
    cp "$folder/authority.crt" "$broker/authority.crt"
}

make_authority() {
    site=${1:-}
    check_name "$site"
    mkdir -p "$broker" "$folder/agents" "$folder/programs" "$folder/devices"
    if [ -e "$folder/site" ] && [ "$(cat "$folder/site")" != "$site" ]; then
        fail "$folder belongs to site '$(cat "$folder/site")': take another folder"
    fi
    if [ -e "$folder/authority.crt" ]; then
        say "the authority is there, good until $(until_of "$folder/authority.crt")"
    else
        [ -e "$folder/authority.key" ] || new_key "$folder/authority.key"
        openssl req -x509 -new -key "$folder/authority.key" -sha256 -days "${days:-3650}" \
            -subj "/CN=Tallygate authority of $site" -addext basicConstraints=critical,CA:TRUE,pathlen:0 \
            -addext keyUsage=critical,keyCertSign,cRLSign -out "$folder/authority.crt.new" 2>/dev/null
        chmod 644 "$folder/authority.crt.new"
        mv "$folder/authority.crt.new" "$folder/authority.crt"
        say "made the authority of site $site in $folder, good until $(until_of "$folder/authority.crt")"
    fi
    echo "$site" >"$folder/site"
    broker_files "$site"
}

make_server() {
    [ $# -ge 1 ] || fail "name each host that the broker is called by"
    need_authority
    names=
    for host in "$@"; do
        case $host in
        '' | *[!A-Za-z0-9.:_-]*) fail "'$host' is no name or address" ;;
        *:* | [0-9]*.[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$host" ;;
        *) names="$names,DNS:$host" ;;
        esac
    done
    names=${names#,}
    if is_there "$broker/server.crt"; then
        [ "$(cat "$broker/server.hosts")" = "$names" ] ||
            fail "the broker's certificate is there for other hosts ($(cat "$broker/server.hosts")): --renew makes it anew"
        say "the broker's certificate is there, good until $(until_of "$broker/server.crt")"
        return
    fi
    echo "$names" >"$broker/server.hosts"
    sign "$broker/server" "$1" "subjectAltName=$names
extendedKeyUsage=serverAuth"
}

# make_client FILE NAME
make_client() {
    need_authority
    if is_there "$1.crt"; then
        say "$1.crt is there, good until $(until_of "$1.crt")"
    else
        sign "$1" "$2" extendedKeyUsage=clientAuth
    fi
}

# make_password FILE NAME
make_password() {
    [ -e "$folder/site" ] || fail "no site in $folder: make its authority first"
    program=$(command -v mosquitto_passwd) || fail "mosquitto_passwd is missing: it comes with Mosquitto"
    if is_there "$1"; then
        say "$1 is there"
        return
    fi
    ! grep -q "^$2:" "$broker/devices.passwords" || [ -n "$renew" ] || fail "$2 has a password already: --renew makes it anew"
    openssl rand -hex 16 >"$1.new"
    # Hashed in a file of its own: on a command line everybody on this machine could read it.
    printf '%s:%s\n' "$2" "$(cat "$1.new")" >"$broker/devices.passwords.one"
    "$program" -U "$broker/devices.passwords.one"
    { grep -v "^$2:" "$broker/devices.passwords" || :; cat "$broker/devices.passwords.one"; } >"$broker/devices.passwords.new"
    rm "$broker/devices.passwords.one"
    mv "$broker/devices.passwords.new" "$broker/devices.passwords"
    mv "$1.new" "$1"
    say "made $1: give it to $2, and send the broker SIGHUP"
}

# The agent's topics by name: on the devices' listener a pattern would give them to every device.
make_agent_password() {
    make_password "$folder/agents/$1.password" "$1"
    grep -q "^user $1\$" "$broker/devices.acl" && return
    {
        cat "$broker/devices.acl"
        printf '\nuser %s\n' "$1"
        sed -n -e "s/%u/$1/" -e 's/^pattern /topic /p' "$broker/agents.acl"
    } >"$broker/devices.acl.new"
    mv "$broker/devices.acl.new" "$broker/devices.acl"
}

block() {
    check_name "${1:-}"
    [ -e "$broker/agents.acl" ] || fail "no access list in $folder"
    if grep -q "^user $1\$" "$broker/agents.acl"; then
        say "$1 is blocked"
        return
    fi
    { cat "$broker/agents.acl"; printf '\nuser %s\ntopic deny #\n' "$1"; } >"$broker/agents.acl.new"
    mv "$broker/agents.acl.new" "$broker/agents.acl"
    say "$1 may neither publish nor read any more, once the broker got SIGHUP"
}

case $what in
authority) make_authority "$@" ;;
server) make_server "$@" ;;
agent)
    check_name "${1:-}"
    make_client "$folder/agents/$1" "$1"
    ;;
program)
    case ${1:-} in
    bridge | sink | console | push | watch) make_client "$folder/programs/$1" "role.$1" ;;
    *) fail "a program is bridge, sink, console, push or watch, not '${1:-}'" ;;
    esac
    ;;
device)
    check_name "${1:-}"
    make_password "$folder/devices/$1.password" "$1"
    ;;
password)
    check_name "${1:-}"
    make_agent_password "$1"
    ;;
block) block "$@" ;;
*) fail "'$what' cannot be made; --help tells what can" ;;
esac
