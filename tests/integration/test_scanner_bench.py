"""Every kind of scanner on the bench, read by a running agent: by TCP both ways and by serial."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.reads import DeviceChange
from firmware_sim.bench.scanner_kinds import KINDS
from tallygate.servers.child import free_port
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import (
    GATEWAY,
    ROOT,
    SITE,
    WAIT_S_MAX,
    AgentProcess,
    Listener,
    wait_until,
)

UNIT = "https://id.gs1.org/01/09506000134352/21/4711"
CASE = "https://id.gs1.org/00/106141412345678908"
CUT_S = 5
"""When every scanner's link is cut in the middle of a message."""


def scenario(folder: Path) -> str:
    """At every scanner a unit in its case comes by four times a second, and something unread."""
    parts = ['format = "tallygate-scenario-1"\n']
    for kind in KINDS:
        where = {
            "tcp_server": "port = 0",
            "tcp_client": f"port = {free_port()}",
            "serial": f'serial = "{folder / kind.name}.tty"',
        }[kind.link]
        parts.append(f'[[devices]]\nid = "{kind.name}"\nkind = "{kind.name}"\n{where}\n')
        for identity, at_s in ((UNIT, 0.1), (CASE, 0.1), ("", 0.2)):
            parts.append(
                f'[[devices.passings]]\nat_s = {at_s}\nidentity = "{identity}"\n'
                "times = 1000\nevery_s = 0.25\n"
            )
        parts.append(f'[[devices.faults]]\nat_s = {CUT_S}\nfault = "drop after 5"\n')
    return "".join(parts)


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[str]:
    """The scanners at work, and the site file with which an agent connects to them."""
    (tmp_path / "scenario.toml").write_text(scenario(tmp_path))
    words = ("--scenario", str(tmp_path / "scenario.toml"), "--write-site", str(tmp_path / "bench"))
    with (tmp_path / "bench.log").open("wb") as log:
        bench = subprocess.Popen(
            [sys.executable, "-m", "firmware_sim", "devices", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until((tmp_path / "bench").exists, "the bench")
        text = (tmp_path / "bench").read_text()
        for name in ("site", "id", "gateway"):
            own = SITE if name == "site" else GATEWAY
            text = text.replace(f'{name} = "bench"', f'{name} = "{own}"')
        yield text
    finally:
        bench.terminate()
        bench.communicate(timeout=WAIT_S_MAX)


def test_every_kind_of_scanner_is_read_by_an_agent_and_read_on_after_a_cut(
    site: str, tmp_path: Path
) -> None:
    """Two codes of one trigger, one message or two; triggers without a code; a torn message."""
    names = {kind.name for kind in KINDS}
    with (
        EmbeddedMqtt(tmp_path / "broker") as broker,
        AgentProcess(tmp_path, scanner_port=1, mqtt_port=broker.port) as agent,
    ):
        (tmp_path / "site.toml").write_text(site)
        listener = Listener(broker.port)
        agent.start()

        def heard() -> dict[str, list[str]]:
            found = defaultdict(list)
            for batch in listener.contents():
                for read in batch.reads:
                    found[read.device].append(read.identity)
            return found

        def told() -> dict[str, list[DeviceChange]]:
            found = defaultdict(list)
            for batch in listener.contents():
                for change in batch.changes:
                    found[change.device].append(change)
            return found

        def all_came_back() -> bool:
            changes = told()
            return names == {
                name
                for name, of_it in changes.items()
                if [change.state for change in of_it][-2:] == ["retrying", "reading"]
            }

        wait_until(lambda: set(heard()) == names, "a read of every scanner")
        wait_until(all_came_back, "every scanner after the cut")
        before = {name: len(of_it) for name, of_it in heard().items()}
        wait_until(
            lambda: all(len(of_it) > before[name] + 6 for name, of_it in heard().items()),
            "reads of every scanner after the cut",
        )
        for name, identities in heard().items():
            assert set(identities) == {UNIT, CASE, f"noread:{name}"}, name
        reasons = {reject.reason for batch in listener.contents() for reject in batch.rejects}
        assert reasons <= {"the connection ended within a message"}
        assert agent.stop() == 0
        listener.close()
        print(agent.log())  # noqa: T201 - shown where the test fails.
