"""The readers of the agent's benchmark send what a reader sends."""

from __future__ import annotations

import struct

from benchmarks.agent import site
from benchmarks.agent_world import report
from contracts.site import SiteFile, read_site
from edge_agent.core.llrp.reports import ReportDecoder


def test_a_report_is_whole_and_takes_its_times_when_it_leaves() -> None:
    raw, stamps = report(3, 2, 50)
    assert struct.unpack_from(">HI", raw) == (1 << 10 | 61, len(raw))
    for offset in stamps:
        struct.pack_into(">QBQ", raw, offset, 5, 0x84, 9)
    reports, rejects = ReportDecoder().decode(bytes(raw[10:]))
    assert rejects == []
    assert {(one.first_seen_us, one.last_seen_us, one.uptime) for one in reports} == {(5, 9, False)}
    assert len({one.epc for one in reports}) == 50
    other, _ = report(3, 3, 50)
    again, _ = ReportDecoder().decode(bytes(other[10:]))
    assert not {one.epc for one in reports} & {one.epc for one in again}


def test_its_site_file_is_a_good_one() -> None:
    found = read_site(site([5084, 5085]))
    assert isinstance(found, SiteFile)
    assert [device.port for device in found.devices] == [5084, 5085]
