-- What people ask the ledger; queries.py gives the answers their types.

-- name: sites
-- The sites whose chains this ledger holds, and how many entries each has.
select site, seq from ledger.chains order by site

-- name: known_identities
-- Which of some identities were ever read or entered; two lookups in an index each.
select w.identity from unnest(%(identities)s::text[]) as w (identity)
where exists (select from ledger.evidence e where e.site = %(site)s and e.identity = w.identity)
    or exists (select from ledger.entries e where e.site = %(site)s and e.identity = w.identity)
    or exists (select from ledger.mentions m where m.site = %(site)s and m.identity = w.identity)

-- name: identities_like
-- Identities that end in what somebody typed; the pattern is escaped by the caller. Reads every sighting.
select identity from ledger.evidence where site = %(site)s and identity like %(pattern)s
union
select identity from ledger.entries where site = %(site)s and identity is not null and identity like %(pattern)s
order by identity limit %(most)s

-- name: life
-- All entries about an identity: those that name it, discrepancies whose payload lists it, and what closed these.
with opened as (
    select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload,
        j.payload ->> 'discrepancy' as discrepancy
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
    where e.site = %(site)s and e.kind = 'discrepancy_opened'
        and ledger.discrepancy_identities(e.payload) @> array[%(identity)s]
)
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload
from ledger.entries e
where e.site = %(site)s and e.identity = %(identity)s
union
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload
from ledger.mentions m join ledger.entries e on e.site = m.site and e.seq = m.seq
where m.site = %(site)s and m.identity = %(identity)s
union
select o.seq, o.id, o.kind, o.happened_us, o.recorded_us, o.location, o.payload from opened o
union
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload
from opened o join ledger.entries e on e.site = %(site)s and e.kind = 'discrepancy_closed'
    and ledger.discrepancy_of(e.payload) = o.discrepancy
order by 4, 1

-- name: sightings_of
-- All sightings of an identity, with the entry that each decided.
select entry, reads, payload from ledger.evidence
where site = %(site)s and identity = %(identity)s order by first_us, id

-- name: reads_per_identity
-- How many reads the sightings of each identity hold: the ledger's side of the books of reads.
select identity, sum(reads)::bigint from ledger.evidence where site = %(site)s group by identity

-- name: location_events
-- Every location event, in the order in which they were entered.
select e.seq, e.identity, j.payload ->> 'kind', e.location, j.payload ->> 'direction',
    (j.payload ->> 'at_us')::bigint, j.payload ->> 'load'
from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
where e.site = %(site)s and e.kind = 'location' and e.seq > %(after)s order by e.seq

-- name: recent_passages
-- The newest passages, newest first.
select e.seq, e.identity, j.payload ->> 'kind', e.location, j.payload ->> 'direction',
    (j.payload ->> 'at_us')::bigint, j.payload ->> 'load'
from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
where e.site = %(site)s and e.kind = 'location' and j.payload ->> 'kind' = 'passed'
order by e.seq desc limit %(most)s

-- name: last_seen
-- Where identities were before a moment: the newest location event of any of them.
select e.identity, e.location, e.happened_us from ledger.entries e
where e.site = %(site)s and e.identity = any (%(identities)s) and e.kind = 'location' and e.happened_us < %(before_us)s
order by e.happened_us desc, e.seq desc limit 1

-- name: told
-- Entries of some kinds behind an entry, in order. Of location events there are too many: they have queries of
-- their own.
select seq, kind, payload from ledger.entries
where site = %(site)s and kind <> 'location' and kind = any (%(kinds)s) and seq > %(after)s order by seq

-- name: kinds
-- How many entries of each kind.
select kind, entries from ledger.counts where site = %(site)s order by kind

-- name: tallies
-- What is merely counted.
select name, count from ledger.tallies where site = %(site)s order by name

-- name: sighting_totals
-- How many sightings, and how many reads are merged in them.
select count(*), coalesce(sum(reads), 0)::bigint from ledger.evidence where site = %(site)s

-- name: reject_reasons
-- Why input could not be used, the most frequent reason first.
select source, reason, count(*) from ledger.rejects where site = %(site)s
group by source, reason order by 3 desc, 1, 2 limit %(most)s

-- name: lost_reads
-- Reads that agents had to give up, where they know how many.
select coalesce(sum(reads), 0)::bigint from ledger.losses where site = %(site)s

-- name: latencies
-- The latency histogram.
select upto_us, entries from ledger.latencies where site = %(site)s

-- name: windows
-- How long decisions waited on purpose: what half, and what 99 of 100, of the entries waited at most.
select percentile_disc(array[0.5, 0.99]) within group (order by window_us) from ledger.entries
where site = %(site)s and read_received_us is not null

-- name: so_far
-- How far the ledger is: entries, location events, discrepancies opened, reads in evidence.
select
    coalesce((select seq from ledger.chains where site = %(site)s), 0),
    (select count(*) from ledger.entries where site = %(site)s and kind = 'location'),
    (select count(*) from ledger.entries where site = %(site)s and kind = 'discrepancy_opened'),
    (select coalesce(sum(reads), 0)::bigint from ledger.evidence where site = %(site)s)
