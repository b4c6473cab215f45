-- The ledger's tables. Times that end in _us are UTC microseconds of domain time; leases alone live in wall time.
-- Three sorts of table: what is never changed (entries, evidence, heads, logs, reference), where the programs stand
-- (chains, positions, coverage, leases), and what can be made anew from the first sort (whereabouts) or is merely
-- counted (tallies, latencies).

create schema if not exists ledger;

-- Everything that happened, in the order in which it was entered. One chain per site.
create table if not exists ledger.entries (
    site text not null,
    -- The place in the site's chain, from 1, without gaps.
    seq bigint not null,
    -- Made from content by the sender: the same thing again has the same id and is skipped.
    id text not null,
    -- location             a location event: arrived, moved, departed, passed
    -- discrepancy_opened   the physical world and the plan or the book began to differ
    -- discrepancy_closed   they agree again, or the cause is known
    -- load                 a load reached another state: started, complete, left
    -- reject               input that could not be used
    -- loss                 reads that are gone for good
    -- device               a device came, went or complained
    -- reference            master data or a plan was changed
    -- log                  a new log was opened
    kind text not null,
    -- When it happened, as the sender says.
    happened_us bigint not null,
    -- When it was entered; never less than the entry before.
    recorded_us bigint not null,
    -- What it is about, where it is about one identity.
    identity text,
    -- The zone or gate that it is about.
    location text,
    -- The exact bytes that were hashed: UTF-8 JSON.
    payload bytea not null,
    -- When the agent received the last read that the decision needed.
    read_received_us bigint,
    -- How much of the time since then was waited on purpose.
    window_us bigint not null,
    -- The hash of the entry before; of the first entry: the site's genesis.
    previous bytea not null,
    -- See ledger.content_of and ledger.hash_of.
    hash bytea not null,
    primary key (site, seq),
    unique (site, id)
);

-- An item's whole life is one range of this index.
create index if not exists entries_of_identity on ledger.entries (site, identity, seq) where identity is not null;

-- All but location events are few and are asked for by kind.
create index if not exists entries_of_kind on ledger.entries (site, kind, seq) where kind <> 'location';

-- The last entry of each site's chain. Its row is the lock under which entries are appended.
create table if not exists ledger.chains (
    site text primary key,
    seq bigint not null,
    hash bytea not null,
    recorded_us bigint not null
);

-- The sightings behind the entries. A location event's payload holds a digest over its sightings' payloads.
create table if not exists ledger.evidence (
    site text not null,
    id text not null,
    -- The entry that it decided; null where it confirmed what was known.
    entry text,
    identity text not null,
    location text not null,
    first_us bigint not null,
    last_us bigint not null,
    -- How many reads are merged in it: the books of reads must balance to the read.
    reads bigint not null,
    -- The exact bytes: UTF-8 JSON.
    payload bytea not null,
    recorded_us bigint not null,
    primary key (site, id)
);

create index if not exists evidence_of_identity on ledger.evidence (site, identity, first_us);

-- Signed heads of the chain, a copy of what was published outside the database: verification trusts only that one.
create table if not exists ledger.heads (
    site text not null,
    seq bigint not null,
    hash bytea not null,
    signed_at_us bigint not null,
    -- Which key signed: SHA-256 of the public key, in hexadecimal.
    key text not null,
    signature bytea not null,
    primary key (site, seq, signed_at_us)
);

-- Every log that was ever opened; the last one of a site is the current one.
create table if not exists ledger.logs (
    ordinal bigint generated always as identity primary key,
    site text not null,
    log text not null,
    partitions integer not null check (partitions > 0),
    -- The bridge's run that opened it.
    run bigint not null,
    -- Why, in words.
    reason text not null,
    opened_us bigint not null,
    opened_at timestamptz not null default clock_timestamp(),
    unique (site, log)
);

create index if not exists logs_of_site on ledger.logs (site, ordinal);

-- How far the ledger holds each partition of the current log. A row of a partition that the current log lacks
-- names no log and counts for nothing, except that its epochs go on counting when the partition comes back.
create table if not exists ledger.positions (
    site text not null,
    partition integer not null,
    log text not null,
    -- The hold on the partition that counts; the worker took it, or an operator in the process console.
    epoch bigint not null,
    worker text not null,
    -- The offset in the topic reads whose output is admitted next.
    next_offset bigint not null,
    -- Where the sink reads on in the topic events.
    events_offset bigint not null,
    primary key (site, partition)
);

-- How far each partition holds each spool. True for ever once true, also under another number of partitions, because
-- it speaks of entries: so a new log removes nothing here.
create table if not exists ledger.coverage (
    site text not null,
    partitions integer not null,
    partition integer not null,
    -- Gateway and spool name a spool together: one that was copied to another gateway is another one.
    gateway text not null,
    spool text not null,
    sequence bigint not null,
    primary key (site, gateway, spool, partitions, partition)
);

-- How far all partitions hold each spool, and the order in which spools last moved: of two spools of one gateway the
-- living one moved last.
create table if not exists ledger.spools (
    site text not null,
    gateway text not null,
    spool text not null,
    -- The ledger has all that the spool's batches up to this one led to.
    acknowledged bigint not null,
    moved bigint not null,
    primary key (site, gateway, spool)
);

create sequence if not exists ledger.moves;

-- What the partitions' stages have not decided yet: encoded changes, applied in order of ordinal from the last snapshot.
create table if not exists ledger.memory (
    ordinal bigint generated always as identity primary key,
    site text not null,
    partitions integer not null,
    partition integer not null,
    -- True: all of it; changes before it are removed.
    snapshot boolean not null,
    change bytea not null
);

create index if not exists memory_of_partition on ledger.memory (site, partitions, partition, ordinal);

-- What the stages behind the hop keep, one row each.
create table if not exists ledger.stage_memory (
    site text not null,
    stage text not null,
    memory bytea not null,
    primary key (site, stage)
);

-- Master data and plans; the newest version of a key counts.
create table if not exists ledger.reference (
    ordinal bigint generated always as identity primary key,
    site text not null,
    -- site, item/{number} or load/{number}
    key text not null,
    version bigint not null,
    -- The encoded SiteMap, Item or Load; null: the key is no more.
    value bytea,
    -- The encoded ReferenceChange with that value and version, as it travels.
    change bytea not null,
    at_us bigint not null,
    unique (site, key, version)
);

-- Who may do what only one may do at a time. Wall time.
create table if not exists ledger.leases (
    site text not null,
    -- bridge   numbers the runs of the log's writer
    -- sink     appends what the stream says
    role text not null,
    run bigint not null,
    holder text not null,
    until timestamptz not null,
    primary key (site, role)
);

-- The newest location event of each identity; made from entries, in the transaction that appends them.
create table if not exists ledger.whereabouts (
    site text not null,
    identity text not null,
    -- CRC-32 of the identity's UTF-8 bytes: modulo the number of partitions it names the partition.
    hash bigint not null,
    location text not null,
    -- arrived, moved, departed; passed:in, passed:out, passed:turned_back, passed:unknown
    kind text not null,
    at_us bigint not null,
    primary key (site, identity)
);

-- What is merely counted.
create table if not exists ledger.tallies (
    site text not null,
    -- duplicates           entries that came again and were skipped
    -- conflicts            entries whose id stood for other content: each is a reject entry too
    -- evidence_duplicates  sightings that came again and were skipped
    -- stale_outputs        outputs of an older or refused epoch, or of offsets that the ledger has
    name text not null,
    count bigint not null,
    primary key (site, name)
);

-- How long entries took from the agent's receipt of the last read needed to their commit, without the decision window.
create table if not exists ledger.latencies (
    site text not null,
    -- The upper bound of the bucket, inclusive.
    upto_us bigint not null,
    entries bigint not null,
    primary key (site, upto_us)
);
