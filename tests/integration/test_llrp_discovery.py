"""Readers are found on the addresses that are named, whatever else answers there."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from contracts.site import SiteFile, read_site
from edge_agent.__main__ import app
from edge_agent.discovery import (
    AddressError,
    _Dialogue,
    addresses_of,
    discover,
    probe,
    table,
)
from tests.support.llrp_pair import MAKERS, Pair
from tests.support.llrp_readers import reader_on_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def something(serve: Serve) -> AsyncIterator[int]:
    """What listens on a port and is no reader."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("maker", "model", "firmware"),
    [("impinj", 2_001_002, "7.6.1.240"), ("zebra", 96_008, "3.32.37.0")],
)
async def test_a_reader_is_found_and_its_table_can_be_pasted(
    maker: str, model: int, firmware: str
) -> None:
    async with reader_on_port(maker) as (port, server):
        (found,) = await discover(["127.0.0.1"], port, timeout_s=10)
        assert server.reader.radio.rospecs == {}
    assert found.capabilities is not None
    assert (found.profile, found.capabilities.model) == (maker, model)
    assert firmware in table([found])
    pasted = tomllib.loads(found.toml())["devices"][0]
    assert [antenna["number"] for antenna in pasted["antennas"]] == [1, 2, 3, 4]
    text = 'site = "s"\n[[zones]]\nid = "hall"\n[[gateways]]\nid = "dock"\n' + found.toml()
    text = text.replace("ZONE OR GATE", "hall").replace("GATEWAY", "dock")
    site = read_site(text)
    assert isinstance(site, SiteFile), site


async def test_a_reader_with_a_client_is_listed_and_left_alone() -> None:
    async with reader_on_port("generic") as (port, server):
        first, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await first.read(10)
        found = await probe("127.0.0.1", port, timeout_s=10)
        assert server.reader.connected
        writer.close()
    assert found is not None
    assert "another client is connected" in table([found])


async def test_what_is_no_reader_is_not_listed() -> None:
    async def web(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)

    for serve in (web, mute):
        async with something(serve) as port:
            assert await discover(["127.0.0.1"], port, timeout_s=0.3) == []


def test_networks_are_spelt_out_and_mistakes_named() -> None:
    assert addresses_of(["10.0.0.0/30", "10.0.0.2", "reader-7"]) == [
        "10.0.0.1",
        "10.0.0.2",
        "reader-7",
    ]
    assert addresses_of(["10.0.0.9/32", "fe80::1"]) == ["10.0.0.9", "fe80::1"]
    for wrong in ("10.0.0.0/7", "10.0.0/x", ""):
        with pytest.raises(AddressError):
            addresses_of([wrong])


def test_the_command_says_when_nobody_is_there() -> None:
    result = CliRunner().invoke(app, ["discover", "127.0.0.1", "--port", "9", "--timeout-s", "1"])
    assert result.exit_code == 1
    assert "no LLRP reader at 1 addresses" in result.output


SAID = {
    maker: b"".join(chunk.data for chunk in Pair(maker).chunks if chunk.from_reader)
    for maker in MAKERS
}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MAKERS), st.lists(st.tuples(st.integers(0), st.integers(0, 255))), st.data())
def test_whatever_answers_it_is_listed_or_not_and_nothing_else(
    maker: str, spoilt: list[tuple[int, int]], data: st.DataObject
) -> None:
    said = bytearray(data.draw(st.just(SAID[maker]) | st.binary(max_size=60)))
    for at, octet in spoilt:
        if said:
            said[at % len(said)] = octet
    dialogue = _Dialogue("10.0.0.1", 5084)
    for octet in said:
        dialogue.receive(bytes([octet]))
        dialogue.to_send()
        if dialogue.is_over:
            break
    else:
        dialogue.receive(b"")
    assert dialogue.is_over
    if found := dialogue.found():
        tomllib.loads(found.toml())
        assert len(table([found]).splitlines()) == 2
