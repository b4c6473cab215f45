"""Gateways of beacons on the bench: the same adverts as a radio hears, in their makers' words."""

from __future__ import annotations

from firmware_sim.bench.ble_kinds import BeaconAdverts
from firmware_sim.bench.kinds import Frame, Scene
from firmware_sim.core.dice import key_of
from firmware_sim.core.vendors import beacon_gateways
from firmware_sim.core.vendors.beacon_gateways import Advert
from firmware_sim.core.vendors.wording import DeviceClock

SECOND = 1_000_000
MINEW_EVERY_US = SECOND
"""A Minew gateway gathers for so long, as delivered."""
RAW_EVERY = 2
"""Every so many of Minew's messages tell adverts raw, as the other firmware does."""


class BeaconGatewaySource:
    """What gateways share: the air around them, a clock, and an antenna that may be lost."""

    def __init__(self, scene: Scene) -> None:
        self.device = scene.device
        self.clock = DeviceClock(scene.start_us)
        self.at_us = scene.start_us
        digits = f"{key_of('gateway', scene.device):012X}"[-10:]
        self.address = ":".join(["AC", *(digits[at : at + 2] for at in range(0, 10, 2))])
        self._air = BeaconAdverts(scene)

    def adverts(self, upto_us: int) -> list[Advert]:
        """What the gateway heard up to a domain time, by its own clock."""
        self.at_us = max(self.at_us, upto_us)
        return [
            Advert(
                self.clock.tell(heard.at_us),
                heard.report.address,
                heard.report.rssi_dbm,
                heard.report.data,
            )
            for heard in self._air.adverts(upto_us)
        ]

    def fault(self, name: str, value: float) -> bool:
        """A wrong clock; its one antenna."""
        if self.clock.fault(name, value, self.at_us):
            return True
        if name not in {"antenna_lost", "antenna_back"}:
            return False
        self._air.is_deaf = name == "antenna_lost"
        return True


class MinewSource(BeaconGatewaySource):
    """A G1: all of a second in one message, by turns with iBeacons taken apart and raw."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._due_us = scene.start_us + MINEW_EVERY_US
        self._messages = 0

    def frames(self, upto_us: int) -> list[Frame]:
        """Its messages; one without adverts shows that it lives."""
        frames = []
        while self._due_us <= upto_us:
            self._messages += 1
            payload = beacon_gateways.minew(
                self.address,
                self.clock.tell(self._due_us),
                self.adverts(self._due_us),
                raw=self._messages % RAW_EVERY == 0,
            )
            frames.append(Frame(self._due_us, payload, f"minew/{self.device}/data"))
            self._due_us += MINEW_EVERY_US
        return frames


class RuuviSource(BeaconGatewaySource):
    """A Ruuvi Gateway: a message an advert, its state retained."""

    def frames(self, upto_us: int) -> list[Frame]:
        """Its messages."""
        return [
            Frame(
                upto_us,
                beacon_gateways.ruuvi(self.address, self.clock.tell(upto_us), advert),
                f"ruuvi/{self.device}/{advert.address}",
            )
            for advert in self.adverts(upto_us)
        ]

    def will(self) -> Frame | None:
        """It is offline."""
        return self._state(self.at_us, online=False)

    def connected(self, at_us: int) -> list[Frame]:
        """It is online."""
        return [self._state(at_us, online=True)]

    def _state(self, at_us: int, *, online: bool) -> Frame:
        payload = beacon_gateways.ruuvi_state(online=online)
        return Frame(at_us, payload, f"ruuvi/{self.device}/gw_status", retain=True)
