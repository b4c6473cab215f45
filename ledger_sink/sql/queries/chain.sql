-- Reading the chain for signing and verifying it.

-- name: chain_end
-- Where the ledger's own books say that the chain ends.
select coalesce(max(seq), 0) from ledger.chains where site = %(site)s

-- name: entries_after
-- The next entries of the chain, in order.
select seq, id, kind, happened_us, recorded_us, identity, location, payload, read_received_us, window_us,
    previous, hash
from ledger.entries where site = %(site)s and seq > %(after)s order by seq limit %(count)s

-- name: all_entries
-- The whole chain, in order; read through a cursor.
select seq, id, kind, happened_us, recorded_us, identity, location, payload, read_received_us, window_us,
    previous, hash
from ledger.entries where site = %(site)s order by seq

-- name: evidence_payloads
-- The exact bytes of some sightings.
select id, payload from ledger.evidence where site = %(site)s and id = any (%(ids)s)

-- name: place_of
-- Where an entry stands.
select seq from ledger.entries where site = %(site)s and id = %(id)s

-- name: reference_changes
-- Of some reference changes the bytes that their entries speak of, and whether the value beside them says the same.
select r.key, r.version, r.change, r.change = ledger.reference_change(r.key, r.version, r.value)
from ledger.reference r
join unnest(%(keys)s::text[], %(versions)s::bigint[]) as w (key, version)
    on r.key = w.key and r.version = w.version
where r.site = %(site)s
