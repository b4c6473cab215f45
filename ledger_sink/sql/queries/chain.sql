-- Reading the chain for signing and verifying it. What must not be null, and is, becomes what no row has: whoever
-- may change the tables may also let columns be null, and that is found like any other change.

-- name: chain_end
-- Where the ledger's own books say that the chain ends.
select coalesce(max(seq), 0) from ledger.chains where site = %(site)s

-- name: entries_after
-- The next entries of the chain, in order.
select seq, coalesce(id, ''), coalesce(kind, ''), coalesce(happened_us, -1), coalesce(recorded_us, -1),
    identity, location, coalesce(payload, ''), read_received_us, coalesce(window_us, -1), coalesce(previous, ''),
    coalesce(hash, '')
from ledger.entries where site = %(site)s and seq > %(after)s order by seq limit %(count)s

-- name: all_entries
-- The whole chain, in order; read through a cursor.
select coalesce(seq, 0), coalesce(id, ''), coalesce(kind, ''), coalesce(happened_us, -1), coalesce(recorded_us, -1),
    identity, location, coalesce(payload, ''), read_received_us, coalesce(window_us, -1), coalesce(previous, ''),
    coalesce(hash, '')
from ledger.entries where site = %(site)s order by seq

-- name: entries_upto
-- A part of the chain, in order; read through a cursor.
select seq, coalesce(id, ''), coalesce(kind, ''), coalesce(happened_us, -1), coalesce(recorded_us, -1),
    identity, location, coalesce(payload, ''), read_received_us, coalesce(window_us, -1), coalesce(previous, ''),
    coalesce(hash, '')
from ledger.entries where site = %(site)s and seq > %(after)s and seq <= %(upto)s order by seq

-- name: entries_of
-- The entries of some kinds, in order; read through a cursor.
select seq, coalesce(id, ''), coalesce(kind, ''), coalesce(happened_us, -1), coalesce(recorded_us, -1),
    identity, location, coalesce(payload, ''), read_received_us, coalesce(window_us, -1), coalesce(previous, ''),
    coalesce(hash, '')
from ledger.entries where site = %(site)s and kind = any (%(kinds)s) and kind <> 'location' order by seq

-- name: ends
-- The lowest and the highest place that an entry has; one without a place has the lowest.
select
    case when exists (select from ledger.entries where site = %(site)s and seq is null) then 0 else min(seq) end,
    max(seq)
from ledger.entries where site = %(site)s

-- name: chain_row
-- What the ledger's own books say of the chain's end.
select coalesce(seq, 0), coalesce(hash, ''), coalesce(recorded_us, -1) from ledger.chains where site = %(site)s

-- name: heads
-- The heads that the database keeps.
select coalesce(seq, 0), coalesce(hash, ''), coalesce(signed_at_us, -1), coalesce(key, ''), coalesce(signature, '')
from ledger.heads where site = %(site)s

-- name: logs
-- The logs that were opened.
select log, partitions, run, reason, opened_us from ledger.logs where site = %(site)s

-- name: references
-- The versions of master data and plans.
select key, version, at_us from ledger.reference where site = %(site)s

-- name: look_up
-- For this transaction: the sightings of a batch of entries are looked up one by one. That is the same work for every
-- batch; the planner would rather read all sightings once for each batch.
select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true)

-- name: evidence_payloads
-- When some sightings were kept; as far as they were not forgotten also their exact bytes, and what stands beside them.
select i.id, i.recorded_us, e.payload, e.identity, e.location, e.first_us, e.last_us
from ledger.evidence_ids i
left join ledger.evidence e on e.site = i.site and e.id = i.id and e.recorded_us = i.recorded_us
where i.site = %(site)s and i.id = any (%(ids)s)

-- name: kept_in
-- How many sightings were kept in a span of time.
select count(*) from ledger.evidence_ids
where site = %(site)s and recorded_us >= %(from_us)s and recorded_us < %(to_us)s

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
