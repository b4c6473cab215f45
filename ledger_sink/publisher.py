"""Signs the chain's head and publishes it outside the database, on a schedule.

Before a head is signed, all entries since the last one are read back and their hashes computed
again: what the database claims of itself is not signed unseen.
"""

from __future__ import annotations

from typing import Any

from ledger_sink import journal
from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.heads import HEAD_ENTRIES_MAX, line_digest, make_head
from ledger_sink.heads_file import HEADS, HeadsFile, Signer, read_heads
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.settings import Settings, SinkError
from ledger_sink.sql import queries

QUERIES = queries("chain")


class Publisher:
    """Publishes heads of one site's chain."""

    def __init__(self, ledger: PostgresLedger, settings: Settings) -> None:
        """Raises SinkError where the files are unusable or the ledger ends before its head."""
        self._ledger = ledger
        self._settings = settings
        self._signer = Signer(settings.folder)
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
        self._file = HeadsFile(path)

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

    def close(self) -> None:
        """Let the file go."""
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
        self._digest, self._seq, self._hash = line_digest(line), seq, end
        self._ledger.keep_head(
            seq=seq,
            hash_=end,
            signed_at_us=at_us,
            key=head.key,
            signature=head.signature.encode(),
        )
        journal.write("head published", seq=seq, entries=len(entries))

    def _value(self, query: Any) -> int:
        row = self._ledger.connection.execute(query, {"site": self._ledger.site}).fetchone()
        return int(row[0]) if row else 0
