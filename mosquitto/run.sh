#!/bin/sh
# Starts Mosquitto with a configuration and tells who came, who went and what was refused, on standard output:
#   sh mosquitto/run.sh /etc/mosquitto/tallygate/production.conf
# Mosquitto tells refusals only at its level `debug`, where it also tells every message that passed; those lines are left out.
set -eu
configuration=${1:?usage: run.sh CONFIGURATION}
program=$(command -v mosquitto || echo /usr/sbin/mosquitto)
passed=': (Sending|Received) (PUBLISH|PUBACK|PUBREC|PUBREL|PUBCOMP|PINGREQ|PINGRESP) '

echo x | grep --line-buffered x >/dev/null 2>&1 || exec "$program" -v -c "$configuration"

# Through a named pipe, so that Mosquitto takes the place of this shell and gets its signals.
pipe=$(mktemp -d)
mkfifo "$pipe/log"
grep --line-buffered -E -v "$passed" <"$pipe/log" &
exec 3>"$pipe/log"
rm -r "$pipe"
exec "$program" -v -c "$configuration" >&3 2>&3 3>&-
