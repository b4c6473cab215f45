-- What people ask the ledger; queries.py gives the answers their types.

-- name: identities_like
-- Identities that end in what somebody typed; the pattern is escaped by the caller.
select identity from ledger.evidence where site = %(site)s and (identity = %(text)s or identity like %(pattern)s)
union
select identity from ledger.entries
where site = %(site)s and identity is not null and (identity = %(text)s or identity like %(pattern)s)
order by identity limit %(most)s

-- name: life
-- All entries about an identity: those that name it, and the few of other kinds whose payload lists it.
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload
from ledger.entries e
where e.site = %(site)s and e.identity = %(identity)s
union
select e.seq, e.id, e.kind, e.happened_us, e.recorded_us, e.location, e.payload
from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
where e.site = %(site)s and e.kind <> 'location' and e.kind like 'discrepancy%%'
    and j.payload -> 'identities' ? %(identity)s
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

-- name: load_states
-- The newest state of each load.
select load, state, location, expected, passed, at_us from ledger.load_states where site = %(site)s order by load

-- name: discrepancies
-- Every discrepancy, in the order in which they were opened.
select discrepancy, problem, load, expected_load, location, identities, item, quantity, at_us, found_us,
    closed_reason, closed_us
from ledger.discrepancies where site = %(site)s order by seq

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

-- name: device_states
-- What each device last said of itself.
select device, state, detail, at_us from ledger.device_states where site = %(site)s order by device
