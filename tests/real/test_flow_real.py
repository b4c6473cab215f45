"""The whole flow on real Mosquitto, Kafka, PostgreSQL and InfluxDB, from readers' bytes on."""

import json
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tallygate.servers.find import Kind, real_servers
from tallygate.servers.influxdb_real import LocalInfluxdb
from tallygate.stack import Stack
from tests.end_to_end.storm import Storm, weather
from tests.support.servers import environment_with_installed


async def test_a_shift_on_real_servers_is_entered_whole_and_measured(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found = real_servers(environment_with_installed())
    missing = [one.advice for one in found if not one.usable]
    if missing and not request.config.getoption("--require-servers"):
        pytest.skip("; ".join(missing))
    assert missing == []
    measured: list[int] = []

    def look(stack: Stack) -> None:
        measured.append(passages_measured(stack))

    storm = Storm(arm={"worker-1": "after_output:150:kill"}, seed=9)
    judgement, happened = await weather(storm, tmp_path, found, at_the_end=look)
    assert any(line.startswith("worker-1") for line in happened)
    assert judgement.proof.spooled > 5_000
    assert judgement.proof.lost == {}
    assert judgement.proof.twice == {}
    assert judgement.chain is not None
    assert judgement.chain.findings == ()
    assert measured[0] > 100


def passages_measured(stack: Stack) -> int:
    """How many passages InfluxDB counts, over all time."""
    influx = stack.servers[Kind.INFLUX]
    assert isinstance(influx, LocalInfluxdb)
    query = 'SELECT sum("count") FROM "passages"'
    arguments = urllib.parse.urlencode({"db": "tallygate", "q": query})
    request = urllib.request.Request(
        f"{influx.url}/query?{arguments}", headers={"Authorization": f"Token {influx.token}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        (result,) = json.load(answer)["results"]
    (series,) = result["series"]
    return int(series["values"][0][1])
