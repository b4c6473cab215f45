"""Every panel's query runs on the real data source, over figures that the sink really writes."""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping

import psycopg
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

from contracts.codec import canonical
from contracts.events import (
    Direction,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LocationEvent,
    LocationKind,
    Problem,
)
from contracts.reads import Reject
from grafana.flow import PANELS
from ledger_sink.core.points import Figures
from ledger_sink.postgres_ledger import PostgresLedger
from tests.support.servers import Fresh

NOW_US = 1_772_416_800_000_000


def entries() -> list[Entry]:
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity="raw:01",
        location="door-1",
        direction=Direction.OUT,
        at_us=NOW_US,
        first_us=NOW_US,
        last_us=NOW_US,
        confidence=1.0,
        basis="antenna_order",
    )
    opened = DiscrepancyOpened(
        discrepancy="d1",
        problem=Problem.STRANGER,
        load="S-1",
        location="door-1",
        identities=("raw:01",),
        at_us=NOW_US,
        found_us=NOW_US,
    )
    reject = Reject(source="dock/door-1", reason="cut", raw=b"\x01", raw_length=1, at_us=NOW_US)
    made = (
        (EntryKind.LOCATION, event, NOW_US - 40_000),
        (EntryKind.DISCREPANCY_OPENED, opened, None),
        (EntryKind.REJECT, reject, None),
    )
    return [
        Entry(
            id=f"e{place}",
            kind=kind,
            happened_us=NOW_US,
            identity="raw:01",
            location="door-1",
            payload=canonical(struct),
            read_received_us=received,
        )
        for place, (kind, struct, received) in enumerate(made)
    ]


def asked(real: Fresh, database: str, query: str) -> list[Mapping[str, object]]:
    """What InfluxDB answers to a panel's query, with Grafana's two variables filled in."""
    minute = 60_000_000_000
    window = f"time >= {NOW_US * 1000 - minute} AND time <= {NOW_US * 1000 + minute}"
    text = query.replace("$timeFilter", window).replace("$__interval", "10s")
    arguments = urllib.parse.urlencode({"db": database, "q": text})
    request = urllib.request.Request(
        f"{real.influx_url}/query?{arguments}",
        headers={"Authorization": f"Token {real.influx_token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        (result,) = json.load(answer)["results"]
    assert "error" not in result, result
    series: list[Mapping[str, object]] = result.get("series", [])
    return series


def test_every_influx_panel_finds_what_the_sink_wrote(real: Fresh) -> None:
    figures = Figures("demo")
    figures.take(entries(), sightings=1, reads=3, committed_us=NOW_US)
    lines = figures.drain(at_us=NOW_US, waiting=2, gateways={"dock": NOW_US - 1})
    database = real.name
    make = urllib.parse.urlencode({"q": f"CREATE DATABASE {database}"}).encode()
    urllib.request.urlopen(
        urllib.request.Request(
            f"{real.influx_url}/query",
            data=make,
            headers={"Authorization": f"Token {real.influx_token}"},
        ),
        timeout=10,
    ).close()
    with InfluxDBClient(url=real.influx_url, token=real.influx_token, org="-") as client:
        client.write_api(write_options=SYNCHRONOUS).write(
            bucket=database, record=lines, write_precision=WritePrecision.US
        )
    for panel in PANELS:
        if panel.of_ledger:
            continue
        for alias, query in panel.queries.items():
            series = asked(real, database, query)
            values = [row[1] for each in series for row in each["values"]]  # type: ignore[attr-defined]
            assert any(value is not None for value in values), (panel.title, alias)


def test_every_ledger_panel_finds_what_was_entered(real: Fresh) -> None:
    with psycopg.connect(real.postgres_url, autocommit=True) as connection:
        PostgresLedger(connection, "demo").append(entries(), NOW_US)
        for panel in PANELS:
            for query in panel.queries.values() if panel.of_ledger else ():
                rows = connection.execute(query.encode()).fetchall()
                assert [row[1:4] for row in rows] == [("S-1", "stranger", "door-1")]
