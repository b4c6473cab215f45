-- Calls of the ledger's functions, as postgres_ledger.py makes them. Arrays travel in binary (%b): half the bytes.

-- name: take_lease
-- The new run's number, or null while another holds the lease.
select ledger.take_lease(%(site)s, %(role)s, %(holder)s, %(seconds)s)

-- name: renew_lease
-- Whether the lease is still this run's.
select ledger.renew_lease(%(site)s, %(role)s, %(run)s, %(seconds)s)

-- name: release_lease
-- Let the next one have it at once.
select ledger.release_lease(%(site)s, %(role)s, %(run)s)

-- name: current_log
-- The log that counts now.
select log, partitions, opened_us from ledger.current_log(%(site)s)

-- name: open_log
-- Whether the run was the bridge's, and so the log is open.
select ledger.open_log(%(site)s, %(run)s, %(log)s, %(partitions)s, %(reason)s, %(at_us)s)

-- name: acknowledged
-- How far the ledger holds each spool, the one that moved last at the end.
select gateway, spool, sequence from ledger.acknowledged(%(site)s)

-- name: take_epoch
-- The new epoch and the next offset, no row where the log is not current.
select epoch, next_offset from ledger.take_epoch(%(site)s, %(log)s, %(partition)s, %(worker)s)

-- name: positions
-- How far the ledger holds each partition.
select log, partition, epoch, next_offset, events_offset from ledger.position(%(site)s)

-- name: memory
-- The undecided memory of all partitions.
select partitions, partition, ordinal, change from ledger.memory_of(%(site)s)

-- name: whereabouts
-- Where the identities of one partition are.
select identity, location, at_us, kind from ledger.whereabouts_of(%(site)s, %(partitions)s, %(partition)s)

-- name: reference
-- What changed in the reference behind an ordinal.
select ordinal, key, version, change from ledger.reference_of(%(site)s, %(after)s)

-- name: put_reference
-- The version that the key then has.
select ledger.put_reference(%(site)s, %(key)s, %(value)b, %(at_us)s)

-- name: append
-- Append entries; what became of them.
select entered, duplicates, conflicts, last_seq from ledger.append(
    %(site)s, %(at_us)s, %(ids)b, %(kinds)b, %(happened)b, %(identities)b, %(locations)b, %(payloads)b,
    %(received)b::bigint[], %(windows)b
)

-- name: commit_partition
-- Whether the partition moved on.
select ledger.commit_partition(
    %(site)s, %(log)s, %(partition)s, %(epoch)s, %(from_offset)s, %(to_offset)s, %(events_offset)s,
    %(gateways)b, %(spools)b, %(sequences)b, %(memory)b, %(snapshot)s
)

-- name: add_evidence
-- How many sightings are new.
select ledger.add_evidence(
    %(site)s, %(at_us)s, %(ids)b, %(entries)b, %(identities)b, %(locations)b, %(firsts)b, %(lasts)b, %(counts)b,
    %(payloads)b
)

-- name: keep_whereabouts
-- Where identities are after these events.
select ledger.keep_whereabouts(
    %(site)s, %(identities)b, %(hashes)b, %(locations)b, %(kinds)b, %(at_times)b
)

-- name: stage_memory
-- What a stage behind the hop kept.
select ledger.stage_memory_of(%(site)s, %(stage)s)

-- name: keep_stage_memory
-- Keep it.
select ledger.keep_stage_memory(%(site)s, %(stage)s, %(memory)b)

-- name: tally
-- Add to a counter.
select ledger.tally(%(site)s, %(name)s, %(by)s)

-- name: count_latencies
-- Add to the latency histogram.
select ledger.count_latencies(%(site)s, %(uptos)b, %(counts)b)

-- name: keep_head
-- Keep a copy of a published head.
select ledger.keep_head(%(site)s, %(seq)s, %(hash)b, %(signed_at_us)s, %(key)s, %(signature)b)
