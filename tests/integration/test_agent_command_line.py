"""What the agent's commands say, and how they end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallygate.servers.child import free_port
from tests.support.agent_bench import ROOT, WAIT_S_MAX, AgentProcess, TcpScanner, wait_until

NONE = "allowed: none, because none is defined"


@pytest.fixture(name="scanner")
def fixture_scanner() -> Iterator[TcpScanner]:
    scanner = TcpScanner()
    yield scanner
    scanner.close()


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WAIT_S_MAX,
        check=False,
    )


def test_without_a_broker_it_spools_and_stops_cleanly(tmp_path: Path, scanner: TcpScanner) -> None:
    with AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=free_port()) as agent:
        agent.start()
        scanner.wait_for_client()
        scanner.send(b"]C10109506000134352211\r\n")
        wait_until(lambda: "no MQTT broker" in agent.log(), "it says that the broker is away")
        assert agent.stop() == 0
        assert agent.log().count("no MQTT broker") == 1
        shown = command("status", "--data", agent.data)
    assert shown.returncode == 0
    figures = dict(line.rsplit(maxsplit=1) for line in shown.stdout.splitlines())
    assert figures["gateway"] == "dock"
    assert int(figures["waiting"]) == int(figures["newest"]) > 0


def test_a_second_agent_on_the_same_folder_says_why_it_ends(
    tmp_path: Path, scanner: TcpScanner
) -> None:
    with AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=free_port()) as agent:
        agent.start()
        scanner.wait_for_client()
        second = command(
            "run", "--site", tmp_path / "site.toml", "--gateway", "dock", "--data", agent.data
        )
    assert second.returncode == 1
    assert second.stderr.strip() == (
        f"another agent runs on {agent.data}: stop it, or give this one its own"
    )


def test_check_names_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        'site = "demo"\n[[gateways]]\nid = "dock"\n[[devices]]\nid = "belt"\n'
        'gateway = "dokc"\nkind = "scanner"\nhost = "h"\nport = 70000\nlocation = "x"\n'
    )
    result = command("check", path)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"{path}: line 6: devices[0].gateway: 'dokc' is no gateway; did you mean 'dock'?",
        f"{path}: line 9: devices[0].port: 70000: must be less than or equal to 65535",
        f"{path}: line 10: devices[0].location: 'x' is no zone or gate; {NONE}",
    ]


def test_run_says_which_gateways_there_are(tmp_path: Path, scanner: TcpScanner) -> None:
    AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=1)
    result = command(
        "run", "--site", tmp_path / "site.toml", "--gateway", "dokc", "--data", tmp_path / "spool"
    )
    assert result.returncode == 1
    assert result.stderr.strip() == f"{tmp_path / 'site.toml'}: has no gateway 'dokc'; it has dock"


def test_check_reads_a_good_file_and_help_reads_well(tmp_path: Path, scanner: TcpScanner) -> None:
    AgentProcess(tmp_path, scanner_port=scanner.port, mqtt_port=1)
    assert "good. Site demo: 1 gateways" in command("check", tmp_path / "site.toml").stdout
    shown = command("--help").stdout
    assert all(word in shown for word in ("run", "check", "status"))
