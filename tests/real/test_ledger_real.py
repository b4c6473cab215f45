# ruff: noqa: D102 - the suite says what these are for.
"""Ledger and sink on the real servers: Kafka, Mosquitto, PostgreSQL and InfluxDB."""

from __future__ import annotations

import json
import signal
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger_sink.core.chain import ChainEntry
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.integration.ledger_stream import Stream
from tests.integration.test_ledger_postgres import rows_of
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_suite import LedgerSuite


class TestRealPostgresLedger(LedgerSuite):
    """The suite, in the PostgreSQL that a site runs."""

    @pytest.fixture
    def ledger(self, real: Fresh) -> Iterator[PostgresLedger]:
        with connect(real.postgres_url) as connection:
            yield PostgresLedger(connection, "demo")

    def rows(self, ledger: Any) -> list[ChainEntry]:
        return rows_of(ledger.connection)

    def tallies(self, ledger: Any) -> dict[str, int]:
        return dict(ledger.connection.execute("select name, count from ledger.tallies").fetchall())


@pytest.fixture
def stream(real: Fresh, tmp_path: Path) -> Iterator[Stream]:
    made = Stream(real, tmp_path)
    try:
        made.open_log("l1")
        yield made
    finally:
        made.close()


def influx_sum(fresh: Fresh, field: str, measurement: str) -> int:
    """The sum of a field over one site, asked in InfluxQL."""
    user, _, password = fresh.influx_token.partition(":")
    question = urllib.parse.urlencode(
        {
            "db": "tallygate",
            "u": user,
            "p": password,
            "q": f'SELECT sum("{field}") FROM "{measurement}" WHERE site = \'{fresh.name}\'',  # noqa: S608
        }
    )
    with urllib.request.urlopen(f"{fresh.influx_url}/query?{question}", timeout=5) as answer:
        series = json.load(answer)["results"][0].get("series", [])
    return int(series[0]["values"][0][1]) if series else 0


def test_outputs_are_entered_once_and_measured(stream: Stream, real: Fresh) -> None:
    sink = stream.start_sink(TALLYGATE_AT="after_append:3:kill")
    stream.pass_units(0, 20)
    stream.tick(1)
    stream.wait_acknowledged(1)
    stream.pass_units(20, 20)
    stream.tick(2)
    stream.pass_units(40, 20)
    stream.tick(3)
    assert sink.wait(60) == -signal.SIGKILL
    before = stream.count()
    assert before < 60
    sink = stream.start_sink()
    stream.wait_acknowledged(3)
    assert stream.count() == 60
    assert wait_until(lambda: influx_sum(real, "count", "passages") >= 60 - before, 20), sink.tail()
    assert influx_sum(real, "entries", "latency") >= 60 - before
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0
    report = stream.verify()
    assert report.findings == ()
    assert (report.sightings, report.unprotected) == (60, 0)
