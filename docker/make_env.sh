#!/bin/sh
# Prints the settings of docker-compose.yml with fresh random secrets:  sh docker/make_env.sh > .env
set -eu
umask 077

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

cat <<SETTINGS
# The site that these containers serve, as its site file says it.
TALLYGATE_SITE=demo
# The site file, and which of its gateways this machine's edge agent is.
TALLYGATE_SITE_FILE=./site.toml
TALLYGATE_GATEWAY=dock

# Made at random; they count from the first start on, in the volumes.
TALLYGATE_POSTGRES_PASSWORD=$(secret)
TALLYGATE_BRIDGE_PASSWORD=$(secret)
TALLYGATE_WORKER_PASSWORD=$(secret)
TALLYGATE_SINK_PASSWORD=$(secret)
TALLYGATE_READER_PASSWORD=$(secret)
TALLYGATE_INFLUX_PASSWORD=$(secret)
TALLYGATE_INFLUX_TOKEN=$(secret)
TALLYGATE_GRAFANA_PASSWORD=$(secret)
SETTINGS
