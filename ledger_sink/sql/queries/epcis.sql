-- EPCIS events in and out.

-- name: capture
-- How many of the events are new, and the places (from 1) of those that were refused.
select entered, refused from ledger.capture(
    %(site)s, %(at_us)s, %(ids)s::text[], %(happened)s::bigint[], %(identities)s::text[], %(locations)s::text[],
    %(payloads)s::bytea[], %(is_others)s::boolean[], %(reasons)s::text[], %(mentioning)s::text[], %(mentioned)s::text[]
)

-- name: head
-- The last entry that there is.
select coalesce(max(c.seq), 0) from ledger.chains c where c.site = %(site)s

-- name: entries
-- Entries that may be EPCIS events, in order.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e
where e.site = %(site)s and e.seq > %(after)s and e.seq <= %(upto)s and e.kind = any (%(kinds)s)
    and (%(locations)s::text[] is null or e.kind <> 'location' or e.location = any (%(locations)s))
    and (%(recorded_from)s::bigint is null or e.recorded_us >= %(recorded_from)s)
    and (%(recorded_before)s::bigint is null or e.recorded_us < %(recorded_before)s)
order by e.seq

-- name: entries_between
-- The same of those that happened between two times. What takes something back is told with the time of what it
-- takes back, so these are looked at whenever they happened.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e
where e.site = %(site)s and e.seq > %(after)s and e.seq <= %(upto)s and e.kind = any (%(kinds)s)
    and (%(locations)s::text[] is null or e.kind <> 'location' or e.location = any (%(locations)s))
    and (%(recorded_from)s::bigint is null or e.recorded_us >= %(recorded_from)s)
    and (%(recorded_before)s::bigint is null or e.recorded_us < %(recorded_before)s)
    and (%(from_us)s::bigint is null or e.happened_us >= %(from_us)s)
    and (%(before_us)s::bigint is null or e.happened_us < %(before_us)s)
union all
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.epcis_reversals r join ledger.entries e on e.site = r.site and e.seq = r.seq
where r.site = %(site)s and r.seq > %(after)s and r.seq <= %(upto)s and e.kind = any (%(kinds)s)
    and (%(recorded_from)s::bigint is null or e.recorded_us >= %(recorded_from)s)
    and (%(recorded_before)s::bigint is null or e.recorded_us < %(recorded_before)s)
    and (e.happened_us < %(from_us)s::bigint or e.happened_us >= %(before_us)s::bigint)
order by seq

-- name: entries_of
-- Entries that may be EPCIS events of some identities, in order.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e
where e.site = %(site)s and e.seq > %(after)s and e.seq <= %(upto)s and e.kind = any (%(kinds)s)
    and e.seq in (select ledger.epcis_entries_of(%(site)s, %(identities)s::text[], %(serials)s::text[]))
order by e.seq

-- name: named
-- Some entries, by id, that are events of our own, and those that take them back.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash, e.id
from ledger.entries e
where e.site = %(site)s and e.id = any (%(ids)s) and e.kind <> 'epcis'
union all
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash, r.reversed
from ledger.epcis_reversals r join ledger.entries e on e.site = r.site and e.seq = r.seq
where r.site = %(site)s and r.reversed = any (%(ids)s)

-- name: movements
-- Some movements, by id.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash
from ledger.entries e where e.site = %(site)s and e.id = any (%(ids)s) and e.kind = 'movement'

-- name: documents
-- Some documents, by their number.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.identity, e.location, e.payload, e.read_received_us,
    e.window_us, e.previous, e.hash, d.id
from ledger.documents d join ledger.entries e on e.site = d.site and e.seq = d.seq
where d.site = %(site)s and d.id = any (%(ids)s)

-- name: kinds
-- What some locations were to the books, and since which entry.
select location, seq, kind from ledger.book_places where site = %(site)s and location = any (%(locations)s)

-- name: units
-- In what some items are counted, and since which entry.
select item, seq, base_unit from ledger.book_items where site = %(site)s and item = any (%(items)s)

-- name: gtins
-- GTINs of some items, and since which entry.
select key, seq, coalesce(body ->> 'gtin', '') from ledger.book_data
where site = %(site)s and what = 'item_card' and key = any (%(items)s)

-- name: mentioned
-- What some entries mention.
select seq, identity from ledger.mentions where site = %(site)s and seq = any (%(seqs)s)

-- name: site_maps
-- Every site map that there was, and since when.
select at_us, value from ledger.reference where site = %(site)s and key = 'site' order by ordinal

-- name: houses
-- Locations of the books and the warehouses in which they lie.
select distinct on (location) location, warehouse from ledger.book_places
where site = %(site)s order by location, seq desc
