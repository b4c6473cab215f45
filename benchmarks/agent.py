"""How much one agent process carries: 64 LLRP readers at 500 reads/s each.

    python -m benchmarks.agent                      # a minute
    python -m benchmarks.agent --seconds 20 --rate 300

The agent is the real program with its spool on the disk; readers and broker are one process of
their own (`benchmarks.agent_world`). What is printed of the agent: reads per second that reached
the broker, its share of one core, its memory, how many batches wait for the ledger, and the time
from the receipt of a report to the arrival of its batch at the broker. It ends with 1 where reads
pile up, are lost or the memory passes 150 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import psutil

RSS_MB_MAX = 150.0
SPOOL_BATCHES_MAX = 120
"""About two seconds' batches wait for the ledger, which answers twice a second."""
WARM_S = 5.0
START_S_MAX = 60.0
SAMPLE_S = 1.0
MEGABYTE = 1_000_000


def site(ports: list[int]) -> str:
    """The site file of one gateway with all readers."""
    head = 'site = "bench"\n[[zones]]\nid = "hall"\n[[gateways]]\nid = "bench"\n'
    return head + "".join(
        f'[[devices]]\nid = "reader-{number}"\ngateway = "bench"\nkind = "llrp"\n'
        f'host = "127.0.0.1"\nport = {port}\n'
        + "".join(
            f'[[devices.antennas]]\nnumber = {antenna}\nlocation = "hall"\n'
            for antenna in range(1, 5)
        )
        for number, port in enumerate(ports)
    )


class World:
    """Readers and broker."""

    def __init__(self, readers: int, rate: int) -> None:
        words = [sys.executable, "-m", "benchmarks.agent_world"]
        words += ["--readers", str(readers), "--rate", str(rate)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._ask: IO[bytes] = self.process.stdin
        self._answer: IO[bytes] = self.process.stdout
        self.ports = json.loads(self._answer.readline())

    def figures(self) -> dict[str, int]:
        """What happened since the last time."""
        self._ask.write(b"\n")
        self._ask.flush()
        found: dict[str, int] = json.loads(self._answer.readline())
        return found


def start_agent(folder: Path, world: World) -> subprocess.Popen[bytes]:
    """The agent as a program."""
    (folder / "site.toml").write_text(site(world.ports["readers"]))
    words = [sys.executable, "-m", "edge_agent", "run", "--site", str(folder / "site.toml")]
    words += ["--gateway", "bench", "--data", str(folder / "spool")]
    environment = os.environ | {"TALLYGATE_MQTT_URL": f"mqtt://127.0.0.1:{world.ports['mqtt']}"}
    with (folder / "agent.log").open("ab") as log:
        return subprocess.Popen(words, env=environment, stderr=log)


def measure(world: World, agent: psutil.Process, seconds: float) -> dict[str, float]:
    """Watch the agent for so long."""
    world.figures()
    before, cpu, began_s = world.figures(), agent.cpu_times(), time.monotonic()
    rss, depths, waits, worst = [], [], [], []
    while time.monotonic() - began_s < seconds:
        time.sleep(SAMPLE_S)
        rss.append(agent.memory_info().rss / MEGABYTE)
        now = world.figures()
        depths.append(now["spool_batches"] or 0)
        if now["p50_us"] is not None:
            waits.append(now["p50_us"] / 1000)
            worst.append(now["p99_us"] / 1000)
    took_s, after = time.monotonic() - began_s, agent.cpu_times()
    sent, received = now["sent"] - before["sent"], now["received"] - before["received"]
    return {
        "sent": sent / took_s,
        "received": received / took_s,
        "core": (after.user + after.system - cpu.user - cpu.system) / took_s,
        "rss": max(rss),
        "depth": max(depths),
        "behind": (now["sent"] - now["received"]) / max(sent / took_s, 1.0),
        "p50": statistics.median(waits) if waits else 0.0,
        "p99": max(worst) if worst else 0.0,
        "rejects": now["rejects"] or 0,
    }


def main() -> int:
    """Print the figures; 1 where the agent does not keep up."""
    parser = argparse.ArgumentParser(description="What one agent carries.")
    parser.add_argument("--readers", type=int, default=64, help="default 64")
    parser.add_argument("--rate", type=int, default=500, help="reads/s each; default 500")
    parser.add_argument("--seconds", type=float, default=60.0, help="default 60")
    options = parser.parse_args()
    world = World(options.readers, options.rate)
    with tempfile.TemporaryDirectory(prefix="tallygate-bench-") as folder:
        agent = start_agent(Path(folder), world)
        try:
            began_s = time.monotonic()
            while world.figures()["reading"] < options.readers:
                if time.monotonic() - began_s > START_S_MAX or agent.poll() is not None:
                    print((Path(folder) / "agent.log").read_text(), file=sys.stderr)
                    return 1
                time.sleep(0.2)
            time.sleep(WARM_S)
            found = measure(world, psutil.Process(agent.pid), options.seconds)
        finally:
            agent.terminate()
            agent.wait(30)
            world.process.terminate()
            world.process.wait(10)
    print(f"readers               {options.readers:>10} at {options.rate} reads/s")
    print(f"sent                  {found['sent']:>10,.0f} reads/s")
    print(f"reached the broker    {found['received']:>10,.0f} reads/s")
    print(f"of one core           {found['core']:>10.0%}")
    print(f"memory at most        {found['rss']:>10.0f} MB")
    print(f"waits for the ledger  {found['depth']:>10,.0f} batches at most")
    print(f"under way at the end  {found['behind']:>10.2f} s of reads")
    print(f"receipt to broker     {found['p50']:>10.0f} ms in the middle")
    print(f"                      {found['p99']:>10.0f} ms for 99 of 100 in the worst second")
    print(f"rejects               {found['rejects']:>10,.0f}")
    kept_up = found["received"] > 0.98 * found["sent"] and found["depth"] <= SPOOL_BATCHES_MAX
    return 0 if kept_up and found["rss"] <= RSS_MB_MAX and not found["rejects"] else 1


if __name__ == "__main__":
    sys.exit(main())
