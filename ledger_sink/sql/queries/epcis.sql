-- EPCIS events in and out.

-- name: capture
-- How many of the events are new.
select ledger.capture(
    %(site)s, %(at_us)s, %(ids)s::text[], %(happened)s::bigint[], %(identities)s::text[], %(locations)s::text[],
    %(payloads)s::bytea[], %(mentioning)s::text[], %(mentioned)s::text[]
)

-- name: entries
-- Entries that are EPCIS events, of a slice, in order.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e
where e.site = %(site)s and e.seq > %(after)s and e.kind in ('location', 'epcis')
    and (%(from_us)s::bigint is null or e.happened_us >= %(from_us)s)
    and (%(before_us)s::bigint is null or e.happened_us < %(before_us)s)
    and (
        %(identity)s::text is null or e.identity = %(identity)s
        or e.seq in (select m.seq from ledger.mentions m where m.site = %(site)s and m.identity = %(identity)s)
    )
order by e.seq limit %(count)s

-- name: named
-- Some entries, by id, that are events of our own.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e
where e.site = %(site)s and e.id = any (%(ids)s) and e.kind = 'location'
