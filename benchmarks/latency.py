"""How long it takes from an agent's receipt of a read to the commit of what it led to.

    python -m benchmarks.latency                          # 5,000 reads/s, a minute
    python -m benchmarks.latency --rate 2000 --seconds 20

Batches of the simulator's reads (see `benchmarks.simulated`) are published in real time, one every
50 ms as an agent does, first to a bare relay of the same bytes (MQTT, Kafka, PostgreSQL: what the
servers alone take), then to our bridge, workers and sink. For each entry the time counts from the
receipt of the last read that its decision needed, the time that was waited on purpose excluded (the
decision's window, and what a gateway's time stays behind); the sink measures it at its commit. An
agent's own fsync is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.simulated import BEHIND_US, GATEWAY, QUIET_BATCHES, Workload
from contracts.codec import encode
from contracts.reads import SpooledBatch
from contracts.topics import mqtt_topic
from ledger_sink.migrate import migrate
from tallygate.servers.group import Addresses, ServerGroup

SITE = "bench"
BATCH_US = 50_000
"""An agent sends what it has after so long."""
START_SECONDS = 15.0
"""For programs to start and to share the partitions."""
RELAY_END_SECONDS = 60.0
"""The relay prints its figures and ends well within this."""
WARM_SECONDS = 5.0
"""The first seconds under load do not count."""
PERCENTILES = (0.5, 0.99)


def publish(workload: Workload, mqtt_url: str, spool: str) -> None:
    """Publish the batches, each at its time."""
    address = urlsplit(mqtt_url)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-gateway")
    client.max_inflight_messages_set(100)
    client.connect(address.hostname or "", address.port or 1883)
    client.loop_start()
    topic = mqtt_topic(SITE, GATEWAY, "reads")
    batches = [
        (
            batch.gateway_us,
            encode(SpooledBatch(spool=spool, sequence=number, lowest=1, payload=encode(batch))),
        )
        for number, batch in enumerate(workload.batches(), 1)
    ]
    for gateway_us, payload in batches[:-QUIET_BATCHES]:
        time.sleep(max(0.0, (gateway_us + BEHIND_US) / 1e6 - time.time()))
        client.publish(topic, payload, qos=1)
    client.disconnect()
    client.loop_stop()


def workload_from_now(options: argparse.Namespace) -> Workload:
    """Reads that begin soon: making them takes a while."""
    reads = int(options.rate * options.seconds)
    delay_us = 5_000_000 + 40 * reads
    return Workload(
        reads=reads,
        batch_reads=options.rate * BATCH_US // 1_000_000,
        batch_us=BATCH_US,
        start_us=time.time_ns() // 1000 + delay_us,
        seed=options.seed,
    )


def percentiles(counts: dict[int, int]) -> dict[float, float]:
    """From value in us and how often it came, in ms."""
    total = sum(counts.values())
    found = {}
    for share in PERCENTILES:
        seen = 0
        for value_us in sorted(counts):
            seen += counts[value_us]
            if seen >= share * total:
                found[share] = value_us / 1000
                break
    return found


def measure_relay(addresses: Addresses, options: argparse.Namespace) -> dict[float, float]:
    """The bare relay."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.relay", "--site", SITE),
            *("--mqtt", addresses.mqtt_url, "--kafka", addresses.kafka),
            *("--postgres", addresses.postgres_url, "--warm", str(WARM_SECONDS)),
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(2.0)
    publish(workload_from_now(options), addresses.mqtt_url, "a" * 32)
    time.sleep(2.0)
    process.terminate()
    try:
        latencies = json.loads(process.communicate(timeout=RELAY_END_SECONDS)[0])
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    counts: dict[int, int] = {}
    for latency_us in latencies:
        counts[latency_us] = counts.get(latency_us, 0) + 1
    return percentiles(counts)


def measure_pipeline(
    addresses: Addresses, folder: Path, options: argparse.Namespace
) -> tuple[dict[float, float], int, int]:
    """Bridge, workers, sink: percentiles, entries that count, and the reads in the ledger."""
    migrate(addresses.postgres_url)
    environment = {
        **os.environ,
        "TALLYGATE_SITE": SITE,
        "TALLYGATE_MQTT_URL": addresses.mqtt_url,
        "TALLYGATE_KAFKA": addresses.kafka,
        "TALLYGATE_POSTGRES_URL": addresses.postgres_url,
        "TALLYGATE_DATA": str(folder),
    }
    with psycopg.connect(addresses.postgres_url, autocommit=True) as ledger:
        site_map = encode(Workload(reads=0, seed=options.seed).site_map)
        ledger.execute("select ledger.put_reference(%s, 'site', %s, 0::bigint)", (SITE, site_map))
        commands = [["stream_processors", "bridge"], ["ledger_sink", "run"]] + [
            ["stream_processors", "worker", "--data", str(folder / f"worker-{number}")]
            for number in range(options.workers)
        ]
        programs = []
        for number, command in enumerate(commands):
            with (folder / f"program-{number}.log").open("wb") as log:
                programs.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log
                    )
                )
        try:
            time.sleep(START_SECONDS)
            publish(workload_from_now(options), addresses.mqtt_url, "b" * 32)
            time.sleep(3.0)
            assert all(each.poll() is None for each in programs), "a program ended: see its log"
            rows = ledger.execute(
                "select upto_us, entries from ledger.latencies where site = %s", (SITE,)
            ).fetchall()
            total = ledger.execute("select sum(reads) from ledger.evidence").fetchone()
        finally:
            for each in programs:
                each.terminate()
            for each in programs:
                each.wait(20)
    counts = {int(upto_us): int(entries) for upto_us, entries in rows}
    return percentiles(counts), sum(counts.values()), int(total[0]) if total and total[0] else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=5_000, help="Reads a second.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ServerGroup(folder / "servers") as group:
            addresses = group.addresses()
            names = ", ".join(one.name for one in group.found.values() if one.usable)
            print(f"{options.rate:,} reads/s for {options.seconds} s on {names}", flush=True)
            relay = measure_relay(addresses, options)
            ours, entries, reads = measure_pipeline(addresses, folder, options)
    print(f"{'':30}{'p50 ms':>10}{'p99 ms':>10}")
    print(f"{'bare relay, a read':30}{relay[0.5]:>10.0f}{relay[0.99]:>10.0f}")
    print(f"{'our pipeline, an entry':30}{ours[0.5]:>10.0f}{ours[0.99]:>10.0f}")
    print(f"({entries:,} entries; {reads:,} reads are in the ledger so far)")


if __name__ == "__main__":
    main()
