"""One Tallygate on this machine: its servers, its programs, its state folder.

Used by `demo` and `up`. Servers named in the environment are used; what is not named is started
here, embedded. Everything lives below one folder: server data, spools, logs, keys, heads.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from contracts.clock import REAL_TIME
from tallygate.ledger import write_state
from tallygate.servers.child import ChildServer
from tallygate.servers.find import Found, Kind
from tallygate.servers.group import Addresses, ServerGroup
from tallygate.servers.kafka_embedded import EmbeddedKafka
from tallygate.supervisor import BACKOFF_S, Program, Supervisor

KAFKA_BYTES_MAX = 2_000_000_000
"""The embedded broker keeps its log in memory and frees nothing: at this size it is started anew,
empty. The protocol makes that harmless: a new log is opened and the agents send again."""
LOOK_S = 0.5
"""How often the servers are looked at."""

NOTHING: Mapping[str, str] = MappingProxyType({})

Tell = Callable[[str, str], None]


class Stack:
    """All of it. Start servers, then programs; `stop` ends them in the right order."""

    def __init__(
        self,
        folder: Path,
        site: str,
        tell: Tell,
        *,
        partitions: int = 4,
        found: tuple[Found, ...] | None = None,
    ) -> None:
        """`tell(who, what)` hears of everything worth knowing. `folder` is made if absent.

        `found` names the servers to use; by default what the environment and PATH offer.
        """
        self.folder = folder
        self.site = site
        self.clock = REAL_TIME
        """Shared by all programs; set it before the first of them starts."""
        self._tell = tell
        self._partitions = partitions
        self._found = found
        self._group: ServerGroup | None = None
        self._guard: asyncio.Task[None] | None = None
        self._agents: dict[str, Path] = {}
        self.addresses: Addresses | None = None
        self.programs: Supervisor | None = None

    async def start_servers(self) -> Addresses:
        """Start what the environment does not name, side by side; raises ServerError."""
        self._group = ServerGroup(self.folder / "servers", self._found)
        await asyncio.to_thread(self._group.start)
        self.addresses = self._group.addresses()
        return self.addresses

    def environment(self) -> dict[str, str]:
        """What every program of the stack is told."""
        assert self.addresses is not None
        return {
            "TALLYGATE_SITE": self.site,
            "TALLYGATE_MQTT_URL": self.addresses.mqtt_url,
            "TALLYGATE_KAFKA": self.addresses.kafka,
            "TALLYGATE_POSTGRES_URL": self.addresses.postgres_url,
            "TALLYGATE_INFLUX_URL": self.addresses.influx_url,
            "TALLYGATE_INFLUX_TOKEN": self.addresses.influx_token,
            "TALLYGATE_CLOCK": self.clock.text(),
            "TALLYGATE_PARTITIONS": str(self._partitions),
            "TALLYGATE_DATA": str(self.folder),
            "PYTHONUNBUFFERED": "1",
        }

    async def migrate(self) -> None:
        """Bring the ledger's schema to this version."""
        await self.run_once("migrate", ["ledger_sink", "migrate"])

    async def run_once(self, name: str, module_and_arguments: Sequence[str]) -> None:
        """Run one of our programs to its end. Raises RuntimeError with what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *module_and_arguments,
            env={**os.environ, **self.environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{name} failed: {said.decode(errors='replace').strip()[-2000:]}")

    @property
    def postgres_url(self) -> str:
        """The ledger's database."""
        assert self.addresses is not None
        return self.addresses.postgres_url

    @property
    def servers(self) -> dict[Kind, ChildServer]:
        """The servers that were started here: a rehearsal may kill them."""
        assert self._group is not None
        return self._group.started

    def agent_folders(self) -> dict[str, Path]:
        """Gateway to the folder of its agent."""
        return dict(self._agents)

    def supervise(self) -> Supervisor:
        """The supervisor of this stack's programs, made at first use."""
        if self.programs is None:
            self.programs = Supervisor(self.folder, self.environment(), self._tell)
        return self.programs

    def start_programs(
        self,
        site_file: Path,
        gateways: Sequence[str],
        *,
        workers: int = 2,
        sabotage: str | None = None,
        keep_acknowledged: bool = False,
        spares: int = 0,
        arm: Mapping[str, str] = NOTHING,
    ) -> Supervisor:
        """Start sink, bridge, workers and one agent for each gateway, and keep them running.

        `spares` further bridges and sinks wait for the lease of the first. `arm` gives programs a
        TALLYGATE_AT for their first start only: what dies at a named point starts again unarmed.
        """
        supervisor = self.supervise()
        programs: list[Program] = []
        for gateway in gateways:
            data = self.folder / "agents" / gateway
            self._agents[gateway] = data
            arguments = ["run", "--site", str(site_file), "--gateway", gateway, "--data", str(data)]
            if keep_acknowledged:
                arguments.append("--keep-acknowledged")
            programs.append(program(f"agent-{gateway}", "edge_agent", *arguments))
        for number in range(1, spares + 2):
            ending = "" if number == 1 else f"-{number}"
            programs.append(program(f"bridge{ending}", "stream_processors", "bridge"))
            programs.append(program(f"sink{ending}", "ledger_sink", "run"))
        for number in range(1, workers + 1):
            data = self.folder / "workers" / str(number)
            worker = program(f"worker-{number}", "stream_processors", "worker", "--data", str(data))
            if sabotage and number == 1:
                worker.environment = {"TALLYGATE_SABOTAGE": sabotage}
            programs.append(worker)
        for each in programs:
            if each.name in arm:
                each.first_environment = {"TALLYGATE_AT": arm[each.name]}
            supervisor.start(each)
        self._guard = asyncio.create_task(self._keep_servers())
        write_state(
            self.folder, postgres_url=self.postgres_url, site=self.site, clock=self.clock.text()
        )
        return supervisor

    async def stop_programs(self) -> None:
        """Stop the programs, agents first and the sinks last; the servers go on."""
        if self.programs is not None:
            stages: dict[int, list[str]] = {}
            for name in self.programs.programs:
                stages.setdefault(_stage(name), []).append(name)
            for _, names in sorted(stages.items()):
                await self.programs.stop(names)

    async def stop(self) -> None:
        """Stop the programs (agents first, the sink last), then the servers."""
        if self._guard is not None:
            self._guard.cancel()
            await asyncio.gather(self._guard, return_exceptions=True)
        await self.stop_programs()
        if self._group is not None:
            await asyncio.to_thread(self._group.stop)

    async def _keep_servers(self) -> None:
        """Start again a server that died; start the embedded Kafka anew when it is full."""
        assert self._group is not None
        failures = dict.fromkeys(self._group.started, 0)
        while True:
            await asyncio.sleep(LOOK_S)
            for kind, server in self._group.started.items():
                if server.running:
                    if isinstance(server, EmbeddedKafka) and server.memory_bytes > KAFKA_BYTES_MAX:
                        self._tell(kind.value, "its memory is full: starts anew, with a new log")
                        await asyncio.to_thread(server.stop)
                    else:
                        continue
                self._tell(kind.value, f"{server.name} starts again")
                try:
                    await asyncio.to_thread(server.start)
                    failures[kind] = 0
                except Exception as error:  # noqa: BLE001 - whatever it is, we try again.
                    wait = BACKOFF_S[min(failures[kind], len(BACKOFF_S) - 1)]
                    failures[kind] += 1
                    self._tell(kind.value, f"{error}; next try in {wait:g} s")
                    await asyncio.sleep(wait)


def program(name: str, module: str, *arguments: str, restart: bool = True) -> Program:
    """One of our programs, run by this very Python."""
    return Program(name, [sys.executable, "-m", module, *arguments], restart=restart)


def _stage(name: str) -> int:
    """Who stops when: what is further down the flow stops later, and takes what is under way."""
    order = ("simulator", "agent", "bridge", "worker", "sink")
    return next((place for place, word in enumerate(order) if name.startswith(word)), 0)
