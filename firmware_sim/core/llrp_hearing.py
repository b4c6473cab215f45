"""Whether a read that could happen does happen, as a reader's client has set it up.

For readers without a radio model: what comes by says at which antenna and how strongly it is heard
at full power. Less power, filters and a tag that is still quiet make it unheard, so that a client
that sets its reader up wrongly loses reads here too.
"""

from __future__ import annotations

from firmware_sim.core.inventory import Settings
from firmware_sim.parameters import SignalParameters


class Hearing:
    """One reader's, which remembers whose flags are set."""

    def __init__(self, signal: SignalParameters) -> None:
        self._signal = signal
        self._quiet_until_us: dict[bytes, int] = {}

    def rssi_dbm(
        self, epc: bytes, antenna: int, full_dbm: int, settings: Settings, at_us: int
    ) -> int | None:
        """How strongly a tag is heard that would be heard so at full power; None: not at all."""
        if antenna not in settings.antennas:
            return None
        turn = settings.antennas.index(antenna)
        rssi_dbm = round(full_dbm - self._signal.power_max_dbm + settings.power_dbm[turn])
        if rssi_dbm < self._signal.reader_sensitivity_dbm:
            return None
        if settings.wants and not settings.wants[turn](epc):
            return None
        return rssi_dbm if self._answers(epc, settings, at_us) else None

    def forget_flags(self) -> None:
        """The reader lost its power: its tags' flags fall."""
        self._quiet_until_us.clear()

    def _answers(self, epc: bytes, settings: Settings, at_us: int) -> bool:
        """Whether the tag's flag lets it answer; it turns over if it does."""
        if settings.dual_target or not settings.session:
            return True
        is_quiet = self._quiet_until_us.get(epc, 0) > at_us
        if is_quiet is not bool(settings.flag):
            return False
        if is_quiet:
            del self._quiet_until_us[epc]
        else:
            signal = self._signal
            lasts_us = signal.session_one_min_us
            if settings.session > 1:
                lasts_us = signal.session_two_us
            self._quiet_until_us[epc] = at_us + lasts_us
        return True
