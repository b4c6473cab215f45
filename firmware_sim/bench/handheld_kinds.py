"""Handhelds on the bench: a person with a PDA scans what comes by, and sends it by HTTP."""

from __future__ import annotations

from firmware_sim.bench.kinds import DeviceKind, Scene, Source
from firmware_sim.core.handheld import Credentials, Handheld

BENCH = Credentials("pda-1", "bench-secret-of-no-worth", "bench", "2468")
"""Worth nothing: they stand here for everybody to read."""

SITE = """
[[devices]]
id = "{device}"
gateway = "bench"
kind = "handheld"
host = "{host}"
port = {port}
location = "stage"
[devices.handheld]
plain = true
[[devices.handheld.clients]]
id = "pda-1"
secret = "scrypt:10:8:1:lI_mA_YdwDa1xZbcCf484w:2ztBqhXMILrrQlVsRZRi7-4FZoy1Xxi9h7syaRVGiqY"
[[devices.handheld.persons]]
id = "bench"
pin = "scrypt:10:8:1:OKgeh-eWMeYCv1-9MHzi_A:BBdLY0OTHJBtcKbZ7NNQmIa45Di_KehtBV0ZECfSX0Q"
"""


def _handheld(scene: Scene) -> Source:
    return Handheld(scene, BENCH)


KINDS: tuple[DeviceKind, ...] = (
    DeviceKind(
        name="handheld",
        format="scans as JSON over HTTP, version 1 of the agent's own interface",
        link="http",
        source=_handheld,
        site=SITE,
    ),
)
"""What this file offers."""
