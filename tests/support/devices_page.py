"""The part of `docs/devices.md` that follows from the bench's kinds, and how it is read again.

    python -m tests.support.devices_page

writes that part anew after a kind was added or changed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

from firmware_sim.bench.kinds import DeviceKind
from firmware_sim.bench.links.make import usual_serial
from firmware_sim.bench.registry import KINDS, usual_port
from firmware_sim.bench.site import SiteDevice, device_tables, places_text

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"
PAGES_MARK = "<!-- pages -->"
SITE_MARK = "<!-- site -->"
KINDS_MARK = "<!-- kinds -->"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", flags=re.DOTALL)


class Example(NamedTuple):
    """A kind's section of the page."""

    name: str
    command: list[str]
    """The words behind `python -m firmware_sim`."""
    site: str
    """Its `[[devices]]` tables."""


def renewed(page: str) -> str:
    """The page with its generated part as the bench has it."""
    devices = [_documented(kind) for kind in KINDS.values()]
    head = page.partition(SITE_MARK)[0]
    before, _, after = head.partition(PAGES_MARK)
    head = before + PAGES_MARK + "\n\n" + _pages() + after[after.index("\n## ") :]
    parts = [
        f"{SITE_MARK}\n\n```toml\n{places_text(devices)}```\n",
        KINDS_MARK,
        *(_section(device) for device in devices),
    ]
    return head + "\n".join(parts)


def places_on(page: str) -> str:
    """The site file's part that all examples share."""
    return _blocks(page.partition(SITE_MARK)[2].partition(KINDS_MARK)[0])["toml"]


def examples_on(page: str) -> list[Example]:
    """The sections of the page."""
    found = []
    for section in page.partition(KINDS_MARK)[2].split("\n### ")[1:]:
        blocks = _blocks(section)
        words = blocks["sh"].split()
        assert words[:3] == ["python", "-m", "firmware_sim"]
        found.append(Example(section.splitlines()[0], words[3:], blocks["toml"]))
    return found


def _pages() -> str:
    """A line for each page in the folder beside the page, with its own title."""
    lines = []
    for path in sorted(PAGE.with_suffix("").glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}](devices/{path.name})\n")
    return "".join(lines)


def _section(one: SiteDevice) -> str:
    command = f"python -m firmware_sim devices {one.kind.name}"
    return (
        f"\n### {one.kind.name}\n\n{one.kind.format}. Link: {one.kind.link}.\n"
        f"\n```sh\n{command}\n```\n\n```toml\n{device_tables(one)}```\n"
    )


def _documented(kind: DeviceKind) -> SiteDevice:
    return SiteDevice(kind, kind.name, "127.0.0.1", usual_port(kind), str(usual_serial(kind.name)))


def _blocks(text: str) -> dict[str, str]:
    return {found[1]: found[2] for found in _BLOCK.finditer(text)}


def table_of(example: Example) -> dict[str, object]:
    """The first device of an example."""
    first: dict[str, object] = tomllib.loads(example.site)["devices"][0]
    return first


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
