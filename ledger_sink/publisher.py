"""Signs the chain's head and publishes it outside the database, on a schedule.

The file of heads comes first; from there they go to a retained MQTT topic and to a webhook, where
these are wanted, in threads of their own.

Before a head is signed, all entries since the last one are read back and their hashes computed
again: what the database claims of itself is not signed unseen.
"""

from __future__ import annotations

from typing import Any

from ledger_sink import journal
from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.heads import HEAD_ENTRIES_MAX, Head, line_digest, make_head
from ledger_sink.heads_file import HEADS, KEY, HeadsFile, Signer, read_heads
from ledger_sink.heads_mqtt import HeadsTopic
from ledger_sink.heads_outside import HeadsOutside, Way, close_all
from ledger_sink.heads_webhook import HeadsWebhook
from ledger_sink.mqtt_outbox import MqttOutbox
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.settings import Settings, SinkError
from ledger_sink.sql import queries

QUERIES = queries("chain")


class Publisher:
    """Publishes heads of one site's chain."""

    def __init__(
        self, ledger: PostgresLedger, settings: Settings, outbox: MqttOutbox | None = None
    ) -> None:
        """Raises SinkError where the files are unusable or the ledger ends before its head.

        Without an outbox nothing goes to MQTT.
        """
        self._ledger = ledger
        self._settings = settings
        self._signer = Signer(settings.folder)
        if not self._signer.is_private:
            journal.write(
                "the signing key is open to others: who reads it can sign heads. Close it with"
                " chmod 600",
                key=str(settings.folder / KEY),
            )
        path = settings.folder / HEADS
        published = read_heads(path, ledger.site, self._signer.public)
        if published.mistake is not None:
            raise SinkError(
                f"{path} cannot be continued: {published.mistake}. Keep the file as evidence,"
                " run `tallygate verify`, and start with an empty folder only if it is explained."
            )
        self._digest = published.last_digest
        self._seq = 0 if published.last is None else published.last.seq
        self._hash = (
            genesis(ledger.site) if published.last is None else bytes.fromhex(published.last.hash)
        )
        end = self._value(QUERIES["chain_end"])
        if end < self._seq:
            raise SinkError(
                f"the ledger of site {ledger.site} ends at entry {end}, but a head was published"
                f" for entry {self._seq}: entries are gone. Run `tallygate verify`."
            )
        if published.last is not None:
            # Whoever published it may have died before the database had its copy.
            self._keep(published.last)
        self._file = HeadsFile(path)
        self._outside = [HeadsOutside(path, way) for way in _ways(settings, outbox)]
        self._tell_outside()

    def publish(self) -> int:
        """Sign what was entered since the last head; gives how many entries that is."""
        count = 0
        while True:
            rows = self._ledger.connection.execute(
                QUERIES["entries_after"],
                {"site": self._ledger.site, "after": self._seq, "count": HEAD_ENTRIES_MAX},
            ).fetchall()
            if not rows:
                return count
            self._publish([ChainEntry(*row) for row in rows])
            count += len(rows)

    def waiting(self) -> dict[str, int]:
        """Of each way out how many heads have not arrived yet."""
        return {outside.name: outside.waiting for outside in self._outside}

    def close(self) -> None:
        """Let the last heads go out, then the file."""
        close_all(self._outside)
        self._file.close()

    def _publish(self, entries: list[ChainEntry]) -> None:
        contents, seq, end = [], self._seq, self._hash
        for entry in entries:
            content = content_of(self._ledger.site, entry)
            seq, end = seq + 1, chain_hash(end, seq + 1, content)
            if (entry.seq, entry.hash) != (seq, end):
                raise SinkError(
                    f"entry {entry.seq} ({entry.id}) does not follow from the entry before it:"
                    " the ledger was changed. Nothing is signed; run `tallygate verify`."
                )
            contents.append(content)
        at_us = self._settings.domain_us()
        head, line = make_head(
            site=self._ledger.site,
            seq=seq,
            hash_=end,
            contents=contents,
            signed_at_us=at_us,
            previous=self._digest,
            key=self._signer.public.name,
            sign=self._signer.sign,
        )
        # The file first: what stands in the database alone protects nothing.
        self._file.append(line)
        self._tell_outside()
        self._digest, self._seq, self._hash = line_digest(line), seq, end
        self._keep(head)
        journal.write("head published", seq=seq, entries=len(entries))

    def _keep(self, head: Head) -> None:
        """The database's copy of a head; it has it already where this was done before."""
        self._ledger.keep_head(
            seq=head.seq,
            hash_=bytes.fromhex(head.hash),
            signed_at_us=head.signed_at_us,
            key=head.key,
            signature=head.signature.encode(),
        )

    def _tell_outside(self) -> None:
        for outside in self._outside:
            outside.tell(self._file.end)

    def _value(self, query: Any) -> int:
        row = self._ledger.connection.execute(query, {"site": self._ledger.site}).fetchone()
        return int(row[0]) if row else 0


def _ways(settings: Settings, outbox: MqttOutbox | None) -> list[Way]:
    """The ways out that the settings ask for."""
    ways: list[Way] = []
    if outbox is not None and settings.heads_mqtt:
        ways.append(HeadsTopic(outbox, settings.site))
    if settings.heads_webhook is not None:
        try:
            ways.append(HeadsWebhook(settings.heads_webhook))
        except OSError as error:
            raise SinkError(f"TALLYGATE_HEADS_WEBHOOK_CA cannot be read: {error}") from error
    return ways
