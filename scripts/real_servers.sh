#!/usr/bin/env bash
# Installs the real servers that `make test-real` starts: Mosquitto, PostgreSQL, Apache Kafka, InfluxDB
# and a D-Bus daemon for the double of a Bluetooth stack.
#
# For a Debian or Ubuntu machine; run it as root or with sudo at hand. It may be run again at any time: what is there is
# left alone. Nothing is installed into the repository. It needs a Java runtime, Maven, Go and Rust; the first two are
# fetched with apt where they are missing, Go and Rust are asked for by name because distributions carry old ones.
#
# Usage: scripts/real_servers.sh [FOLDER]
#   FOLDER  where Kafka, InfluxDB and the environment file go; default ${XDG_CACHE_HOME:-~/.cache}/tallygate
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail

KAFKA_VERSION=4.0.0
SCALA_VERSION=2.13
SLF4J_VERSION=1.7.36
INFLUXDB_VERSION=v1.12.4
# Pure Go, without the Rust part: it lacks the bucket and delete calls, but takes writes and answers InfluxQL.
INFLUXDB_FALLBACK_VERSION=v1.8.3
ATTEMPTS_MAX=4
ATTEMPT_PAUSE_SECONDS=5

folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/tallygate}
kafka_home=$folder/kafka-$KAFKA_VERSION
influxd=$folder/influxdb/influxd
environment_file=$folder/real_servers.env
service_policy=/usr/sbin/policy-rc.d # Debian asks it before a package starts its service.

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

fail() {
  printf 'real_servers: %s\n' "$*" >&2
  exit 1
}

# Runs a command up to ATTEMPTS_MAX times: package servers drop a connection now and then.
retry() {
  local attempt
  for ((attempt = 1; attempt <= ATTEMPTS_MAX; attempt++)); do
    if "$@"; then return 0; fi
    say "attempt $attempt of $ATTEMPTS_MAX failed: $1"
    if ((attempt < ATTEMPTS_MAX)); then sleep $((ATTEMPT_PAUSE_SECONDS * attempt)); fi
  done
  return 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

postgres_binary() {
  local candidate
  for candidate in /usr/lib/postgresql/*/bin/postgres; do
    if [ -x "$candidate" ] && [ -x "${candidate%/*}/initdb" ]; then printf '%s\n' "$candidate"; return 0; fi
  done
  return 1
}

mosquitto_binary() { command -v mosquitto || { [ -x /usr/sbin/mosquitto ] && printf '/usr/sbin/mosquitto\n'; }; }

install_debian_packages() {
  local wanted=()
  if ! mosquitto_binary >/dev/null; then wanted+=(mosquitto); fi
  if ! command -v mosquitto_sub >/dev/null; then wanted+=(mosquitto-clients); fi
  if ! postgres_binary >/dev/null; then wanted+=(postgresql); fi
  if ! command -v java >/dev/null; then wanted+=(default-jre-headless); fi
  if ! command -v mvn >/dev/null; then wanted+=(maven); fi
  if ! command -v dbus-daemon >/dev/null; then wanted+=(dbus); fi
  if [ ${#wanted[@]} -eq 0 ]; then
    say "Debian packages: all there"
    return 0
  fi
  command -v apt-get >/dev/null || fail "install these by hand, there is no apt-get here: ${wanted[*]}"
  say "Debian packages: ${wanted[*]}"
  # The packages would start services at once. The tests start their own servers in their own folders, so a service
  # that listens all day is held back: no cluster is made, and no start is allowed while apt runs.
  as_root mkdir -p /etc/postgresql-common
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  if [ ! -e "$service_policy" ]; then
    trap 'as_root rm -f "$service_policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$service_policy" >/dev/null
    as_root chmod 755 "$service_policy"
  fi
  retry as_root apt-get update -q || fail "apt-get update failed; is a package server reachable?"
  retry as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
    apt-get install -y -q --no-install-recommends "${wanted[@]}" ||
    fail "apt-get could not install ${wanted[*]}; see the messages above"
  mosquitto_binary >/dev/null || fail "apt-get did not bring mosquitto; install it by hand"
  postgres_binary >/dev/null || fail "apt-get did not bring postgresql; install it by hand"
}

install_kafka() {
  if [ -e "$kafka_home/complete" ]; then
    say "Kafka $KAFKA_VERSION: already in $kafka_home"
    return 0
  fi
  say "Kafka $KAFKA_VERSION: jars by Maven into $kafka_home"
  mkdir -p "$kafka_home/libs"
  cat >"$kafka_home/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tallygate</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_$SCALA_VERSION</artifactId>
      <version>$KAFKA_VERSION</version>
    </dependency>
    <dependency><!-- Without it Kafka logs nothing, not even why it does not start. -->
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>$SLF4J_VERSION</version>
    </dependency>
  </dependencies>
</project>
POM
  retry mvn -q -B -f "$kafka_home/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$kafka_home/libs" ||
    fail "Maven could not fetch Kafka; is a Maven repository reachable?"
  [ -e "$kafka_home/libs/kafka_$SCALA_VERSION-$KAFKA_VERSION.jar" ] || fail "Maven ran, but the Kafka jar is not there"
  touch "$kafka_home/complete"
}

# Builds InfluxDB with its Flux engine, which is Rust. Flux names warnings of its day errors; a newer compiler knows
# more warnings, so each compilation is told that warnings are only warnings.
build_influxdb_with_flux() {
  local tools=$folder/influxdb/tools
  command -v cargo >/dev/null || { say "cargo is not there: InfluxDB with Flux cannot be built"; return 1; }
  mkdir -p "$tools"
  cat >"$tools/rustc-wrap.sh" <<'WRAP'
#!/bin/sh
case " $* " in *" --cap-lints "*) exec "$@" ;; *) exec "$@" --cap-lints warn ;; esac
WRAP
  chmod 755 "$tools/rustc-wrap.sh"
  GOBIN=$tools retry go install github.com/influxdata/pkg-config@v0.2.7 || return 1
  GOBIN=$tools PKG_CONFIG=$tools/pkg-config RUSTUP_TOOLCHAIN=stable RUSTC_WRAPPER=$tools/rustc-wrap.sh \
    retry go install -ldflags="-s -w -X main.version=$INFLUXDB_VERSION" \
    "github.com/influxdata/influxdb/cmd/influxd@$INFLUXDB_VERSION" || return 1
  mv "$tools/influxd" "$influxd"
}

build_influxdb_go_only() {
  local tools=$folder/influxdb/tools
  mkdir -p "$tools"
  GOBIN=$tools retry go install -ldflags="-s -w -X main.version=$INFLUXDB_FALLBACK_VERSION" \
    "github.com/influxdata/influxdb/cmd/influxd@$INFLUXDB_FALLBACK_VERSION" || return 1
  mv "$tools/influxd" "$influxd"
}

install_influxdb() {
  if [ -x "$influxd" ]; then
    say "InfluxDB: already in $influxd"
    return 0
  fi
  command -v go >/dev/null || fail "InfluxDB is built from source: install Go 1.22 or newer, and Rust, and run again"
  say "InfluxDB $INFLUXDB_VERSION: building from source, about 3 minutes"
  if ! build_influxdb_with_flux; then
    say "InfluxDB $INFLUXDB_VERSION could not be built; building $INFLUXDB_FALLBACK_VERSION"
    build_influxdb_go_only || fail "InfluxDB could not be built; see the messages above"
  fi
}

write_environment_file() {
  {
    printf '# Written by scripts/real_servers.sh: where the real servers are. The tests read this file by themselves.\n'
    printf 'TALLYGATE_KAFKA_HOME=%s\n' "$kafka_home"
    printf 'TALLYGATE_INFLUXD=%s\n' "$influxd"
  } >"$environment_file"
}

mkdir -p "$folder/influxdb"
install_debian_packages
install_kafka
install_influxdb
write_environment_file
say "Mosquitto:  $(mosquitto_binary)"
say "PostgreSQL: $(postgres_binary)"
say "Kafka:      $kafka_home"
say "InfluxDB:   $influxd"
say "D-Bus:      $(command -v dbus-daemon)"
say "written:    $environment_file"
