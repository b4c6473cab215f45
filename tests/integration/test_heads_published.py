"""Heads go out of the house, all of them and in order, whoever is away; and copies verify."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from ledger_sink.core.heads import make_head
from ledger_sink.core.verification import Fault
from ledger_sink.heads_file import (
    HEADS,
    KEY,
    PUBLIC_KEY,
    Signer,
    read_heads,
    read_public_key,
)
from ledger_sink.heads_outside import HeadsOutside, close_all
from ledger_sink.heads_webhook import HeadsWebhook
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings, SinkError, Webhook, settings_from
from ledger_sink.verify import verify
from tallygate.servers.child import free_port
from tests.integration.ledger_stream import Stream
from tests.support.heads_receivers import HeadsServer, HeadsSubscriber
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import passage


@pytest.fixture
def stream(embedded: Fresh, tmp_path: Path) -> Iterator[Stream]:
    made = Stream(embedded, tmp_path / "stack")
    try:
        made.open_log("l1")
        yield made
    finally:
        made.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HeadsServer]:
    made = HeadsServer(tmp_path / "posted.jsonl")
    yield made
    made.close()


@pytest.fixture
def ledger(embedded: Fresh) -> Iterator[PostgresLedger]:
    with connect(embedded.postgres_url) as connection:
        yield PostgresLedger(connection, "demo")


def enter(ledger: PostgresLedger, first: int, count: int = 3) -> None:
    ledger.append([passage(number) for number in range(first, first + count)], 20)


def test_copies_from_topic_and_webhook_prove_the_ledger(
    stream: Stream, server: HeadsServer, embedded: Fresh, tmp_path: Path
) -> None:
    """The last head is signed at the end of the sink, and arrives as well."""
    subscriber = HeadsSubscriber(embedded.mqtt_url, stream.site, tmp_path / "heard.jsonl")
    server.answers = [503, 500, 404]
    sink = stream.start_sink(
        TALLYGATE_HEADS_WEBHOOK=server.url, TALLYGATE_HEADS_WEBHOOK_TOKEN="secret"
    )
    for turn in range(3):
        stream.pass_units(turn * 10, 10)
        stream.tick(turn + 1)
        stream.wait_acknowledged(turn + 1)
    heads = stream.folder / "ledger" / HEADS

    def arrived() -> bool:
        lines = set(heads.read_bytes().splitlines()) if heads.exists() else set()
        posted = set(server.file.read_bytes().splitlines()) if server.file.exists() else set()
        return bool(lines) and lines == set(subscriber.lines) == posted

    assert wait_until(lambda: not server.answers and arrived(), 40), sink.tail()
    stream.pass_units(30, 10)
    stream.tick(4)
    stream.wait_acknowledged(4)
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0
    assert wait_until(arrived, 10), sink.tail()
    subscriber.close()
    for copy in (subscriber.file, server.file):
        key = stream.folder / "ledger" / PUBLIC_KEY
        report = verify(embedded.postgres_url, stream.site, copy, key)
        assert report.findings == ()
        assert report.unprotected == 0
    assert {one["Authorization"] for one in server.requests} == {"Bearer secret"}
    keys = [one["Idempotency-Key"] for one in server.requests]
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert sink.wait_for("a head did not arrive; it waits")["reason"] == "the webhook answers 503"
    assert sink.wait_for("heads arrive again")["way"] == "webhook"


def test_who_comes_later_finds_the_newest_head(
    stream: Stream, embedded: Fresh, tmp_path: Path
) -> None:
    sink = stream.start_sink()
    stream.pass_units(0, 5)
    stream.tick(1)
    stream.wait_acknowledged(1)
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0
    newest = (stream.folder / "ledger" / HEADS).read_bytes().splitlines()[-1]
    subscriber = HeadsSubscriber(embedded.mqtt_url, stream.site, tmp_path / "heard.jsonl")
    assert wait_until(lambda: subscriber.lines == [newest], 60)
    subscriber.close()


def test_the_sink_goes_on_and_ends_without_its_receivers_and_no_head_is_lost(
    stream: Stream, tmp_path: Path
) -> None:
    port = free_port()
    nowhere = f"http://127.0.0.1:{port}/heads"
    for turn in range(2):
        sink = stream.start_sink(TALLYGATE_HEADS_WEBHOOK=nowhere, TALLYGATE_HEADS_MQTT="off")
        stream.pass_units(turn * 10, 10)
        stream.tick(turn + 1)
        stream.wait_acknowledged(turn + 1)
        sink.wait_for("a head did not arrive; it waits")
        sink.send(signal.SIGTERM)
        assert sink.wait() == 0
    server = HeadsServer(tmp_path / "posted.jsonl", port)
    sink = stream.start_sink(TALLYGATE_HEADS_WEBHOOK=server.url)
    heads = (stream.folder / "ledger" / HEADS).read_bytes()
    assert len(heads.splitlines()) >= 2
    assert wait_until(lambda: server.file.exists() and server.file.read_bytes() == heads, 60)
    sink.end()
    server.close()


def test_what_has_arrived_is_not_sent_again(
    ledger: PostgresLedger, server: HeadsServer, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, heads_webhook=Webhook(url=server.url))
    for first in (0, 10, 20):
        enter(ledger, first)
        publisher = Publisher(ledger, settings)
        publisher.publish()
        publisher.close()
        assert publisher.waiting() == {"webhook": 0}
    assert server.file.read_bytes() == (settings.folder / HEADS).read_bytes()
    assert len(server.requests) == 3


def test_a_new_file_of_heads_is_sent_from_its_beginning(
    server: HeadsServer, tmp_path: Path
) -> None:
    file = tmp_path / "heads.jsonl"
    for text in (b"one\ntwo\n", b"another, which is longer\n", b"x\n"):
        file.write_bytes(text)
        outside = HeadsOutside(file, HeadsWebhook(Webhook(url=server.url)))
        outside.tell(len(text))
        outside.close(20)
        assert outside.waiting == 0
    assert server.file.read_bytes() == b"one\ntwo\nanother, which is longer\nx\n"


def test_what_is_not_on_disk_yet_is_not_sent(server: HeadsServer, tmp_path: Path) -> None:
    """A head that the file may lose must not be known elsewhere."""
    file = tmp_path / "heads.jsonl"
    file.write_bytes(b"one\ntwo\n")
    outside = HeadsOutside(file, HeadsWebhook(Webhook(url=server.url)))
    outside.tell(4)
    outside.close(20)
    assert server.file.read_bytes() == b"one\n"


def test_a_disk_that_takes_no_cursor_keeps_no_head_back(
    server: HeadsServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "heads.jsonl"
    file.write_bytes(b"one\ntwo\n")
    (tmp_path / "heads.webhook.sent.part").mkdir()
    outside = HeadsOutside(file, HeadsWebhook(Webhook(url=server.url)), retry_s=0.01)
    outside.tell(8)
    assert wait_until(lambda: outside.waiting == 0, 60)
    outside.close()
    assert server.file.read_bytes() == b"one\ntwo\n"
    assert "the files of heads cannot be used" in capfd.readouterr().err


def test_a_file_that_became_shorter_is_told_and_nothing_is_made_up(
    server: HeadsServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "heads.jsonl"
    file.write_bytes(b"one\ntwo")
    outside = HeadsOutside(file, HeadsWebhook(Webhook(url=server.url)))
    outside.tell(8)
    assert wait_until(server.file.exists, 60)
    outside.close()
    assert server.file.read_bytes() == b"one\n"
    assert "is shorter than what was published" in capfd.readouterr().err


def test_a_redirection_is_not_followed(server: HeadsServer) -> None:
    """The token is for the address that was named."""
    server.answers = [302]
    way = HeadsWebhook(Webhook(url=server.url, token="secret"))
    assert way.send(b"one\n") == "the webhook answers 302"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 x\r\nLocation: http://[bad\r\n\r\n",
        b"HTTP/1.1 301 x\r\nLocation: file:///etc\r\n\r\n",
        b"HTTP/1.1 308 x\r\nLocation: \xff\xfe\r\n\r\n",
        b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"no HTTP\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_makes_no_sense_is_told_and_the_head_waits(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(65_536)
                caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        way = HeadsWebhook(Webhook(url=f"http://127.0.0.1:{listening.getsockname()[1]}/heads"))
        assert str(way.send(b"one\n")).startswith("the webhook ")


def test_an_address_that_is_no_name_is_told_and_the_head_waits() -> None:
    way = HeadsWebhook(Webhook(url="https://no..name/heads"))
    assert str(way.send(b"one\n")).startswith("the webhook cannot be reached")


def test_receivers_that_hang_hold_the_end_up_no_longer_than_one_of_them(tmp_path: Path) -> None:
    """They take the connection, and say nothing for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/heads"
        ways = []
        for number in range(3):
            file = tmp_path / f"heads{number}.jsonl"
            file.write_bytes(b"one\n")
            ways.append(HeadsOutside(file, HeadsWebhook(Webhook(url=url))))
            ways[-1].tell(4)
        began_s = time.monotonic()
        close_all(ways, 0.5)
        assert 0.5 <= time.monotonic() - began_s < 1.4
        assert [way.waiting for way in ways] == [1, 1, 1]


def test_a_copy_may_hold_a_head_several_times(
    ledger: PostgresLedger, embedded: Fresh, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path)
    for first in (0, 10):
        enter(ledger, first)
        publisher = Publisher(ledger, settings)
        publisher.publish()
        publisher.close()
    one, two = (settings.folder / HEADS).read_bytes().splitlines(keepends=True)
    copy, key = tmp_path / "copy.jsonl", settings.folder / PUBLIC_KEY
    copy.write_bytes(one + one + two + one + two)
    report = verify(embedded.postgres_url, "demo", copy, key)
    assert (report.findings, report.heads, report.protected) == ((), 2, 6)
    copy.write_bytes(two)
    assert not verify(embedded.postgres_url, "demo", copy, key).whole


def test_a_sink_that_was_overtaken_spoils_no_heads(ledger: PostgresLedger, tmp_path: Path) -> None:
    """It sees that another wrote; and where it looked too early, its line changes nothing."""
    settings = Settings(data=tmp_path)
    heads, key = settings.folder / HEADS, settings.folder / PUBLIC_KEY
    first, second = (Publisher(ledger, settings) for _ in range(2))
    enter(ledger, 0)
    second.publish()
    enter(ledger, 10)
    with pytest.raises(SinkError, match="has taken over this site"):
        first.publish()
    first.close()
    elsewhere = Settings(data=tmp_path / "elsewhere")
    elsewhere.folder.mkdir(parents=True)
    copyfile(settings.folder / KEY, elsewhere.folder / KEY)
    overtaken = Publisher(ledger, elsewhere)
    overtaken.publish()
    overtaken.close()
    with heads.open("ab") as file:
        file.write((elsewhere.folder / HEADS).read_bytes())
    with pytest.raises(SinkError, match="has taken over this site"):
        second.publish()
    second.close()
    third = Publisher(ledger, settings)
    third.publish()
    third.close()
    published = read_heads(heads, "demo", read_public_key(key))
    assert (published.mistake, [one.head.seq for one in published.heads]) == (None, [3, 6])


def test_a_crash_right_behind_publishing_leaves_no_gap_in_the_databases_copy(
    ledger: PostgresLedger, embedded: Fresh, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path)
    for first in (0, 10):
        enter(ledger, first)
        publisher = Publisher(ledger, settings)
        publisher.publish()
        publisher.close()
        if not first:
            # As if it had died before the copy was kept.
            ledger.connection.execute("set session_replication_role = replica")
            ledger.connection.execute("delete from ledger.heads")
            ledger.connection.execute("set session_replication_role = origin")
    heads, key = settings.folder / HEADS, settings.folder / PUBLIC_KEY
    assert verify(embedded.postgres_url, "demo", heads, key).findings == ()


def test_a_head_that_says_something_else_of_an_entry_is_found(
    ledger: PostgresLedger, embedded: Fresh, tmp_path: Path
) -> None:
    """Signed with the right key: somebody made a second history."""
    settings = Settings(data=tmp_path)
    enter(ledger, 0)
    publisher = Publisher(ledger, settings)
    publisher.publish()
    publisher.close()
    heads, key = settings.folder / HEADS, settings.folder / PUBLIC_KEY
    signer = Signer(settings.folder)
    _, line = make_head(
        site="demo",
        seq=3,
        hash_=bytes(32),
        contents=[bytes(32)] * 3,
        signed_at_us=1,
        previous="",
        key=signer.public.name,
        sign=signer.sign,
    )
    heads.write_bytes(heads.read_bytes() + line + b"\n")
    report = verify(embedded.postgres_url, "demo", heads, key)
    assert [finding.fault for finding in report.findings] == [Fault.HEAD]


def test_a_signing_key_that_others_can_read_is_told(
    ledger: PostgresLedger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path)
    Publisher(ledger, settings).close()
    key = settings.folder / KEY
    assert key.stat().st_mode & 0o777 == 0o600
    assert "open to others" not in capfd.readouterr().err
    key.chmod(0o640)
    Publisher(ledger, settings).close()
    assert "the signing key is open to others" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYGATE_HEADS_MQTT", "yes"),
        ("TALLYGATE_HEADS_WEBHOOK", "http://example.com/heads"),
        ("TALLYGATE_HEADS_WEBHOOK", "ftp://example.com/heads"),
        ("TALLYGATE_HEADS_WEBHOOK", "https://"),
        ("TALLYGATE_HEADS_WEBHOOK", "https://[::1/x"),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, value: str) -> None:
    with pytest.raises(SinkError, match=name):
        settings_from({name: value})


def test_the_token_must_fit_into_a_header_and_the_authorities_be_there() -> None:
    environment = {
        "TALLYGATE_HEADS_WEBHOOK": "https://example.com/heads",
        "TALLYGATE_HEADS_WEBHOOK_TOKEN": "a\nb",
        "TALLYGATE_HEADS_WEBHOOK_CA": "/nowhere",
    }
    with pytest.raises(SinkError, match=r"CA: there is no file.*TOKEN"):
        settings_from(environment)
    settings = settings_from({"TALLYGATE_HEADS_WEBHOOK": "https://example.com/heads"})
    assert settings.heads_webhook == Webhook(url="https://example.com/heads")
    assert settings.heads_mqtt
