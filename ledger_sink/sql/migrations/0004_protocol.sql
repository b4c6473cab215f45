-- What keeps the stream exact: leases, logs, epochs and the compare-and-set that admits. See docs/protocol.md.
-- Locks are taken in this order: lease, partition rows from the lowest, chain.

-- Take a lease that is free or has run out; gives the new run's number, or null while another holds it.
create or replace function ledger.take_lease(of_site text, of_role text, new_holder text, seconds double precision)
    returns bigint language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.leases as l (site, role, run, holder, until)
    values (of_site, of_role, 1, new_holder, clock_timestamp() + make_interval(secs => seconds))
    on conflict (site, role) do update set run = l.run + 1, holder = excluded.holder, until = excluded.until
        where l.until <= clock_timestamp()
    returning run
$$;

-- Hold on to a lease; false: another run has it. One that ran out but was not taken is held again.
create or replace function ledger.renew_lease(of_site text, of_role text, of_run bigint, seconds double precision)
    returns boolean language sql security definer set search_path = ledger, pg_temp as $$
    with renewed as (
        update ledger.leases l set until = clock_timestamp() + make_interval(secs => seconds)
        where l.site = of_site and l.role = of_role and l.run = of_run and l.until > '-infinity'
        returning 1
    )
    select exists (select from renewed)
$$;

-- Give a lease back, so that the next one need not wait until it runs out.
create or replace function ledger.release_lease(of_site text, of_role text, of_run bigint) returns void language sql
    security definer set search_path = ledger, pg_temp as $$
    update ledger.leases l set until = '-infinity' where l.site = of_site and l.role = of_role and l.run = of_run
$$;

-- The log that counts now; no row before the first.
create or replace function ledger.current_log(of_site text)
    returns table (log text, partitions integer, opened_at timestamptz, opened_us bigint) language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select l.log, l.partitions, l.opened_at, l.opened_us from ledger.logs l where l.site = of_site
    order by l.ordinal desc limit 1
$$;

-- Open a log: from here on nothing of the one before is admitted. Only the bridge's current run may. What each
-- partition has seen, decided and covered stays; offsets begin at 0. at_us is the time of the entry of kind log.
create or replace function ledger.open_log(
    of_site text, of_run bigint, new_log text, new_partitions integer, why text, at_us bigint default null
) returns boolean language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains;
    moment bigint;
begin
    perform from ledger.leases l where l.site = of_site and l.role = 'bridge' and l.run = of_run for update;
    if not found then
        return false;
    end if;
    perform from ledger.positions p where p.site = of_site order by p.partition for update;
    chain := ledger.lock_chain(of_site);
    -- Without a time of the caller's, the chain's own last one is the nearest domain time that is known here.
    moment := coalesce(at_us, nullif(chain.recorded_us, 0), (extract(epoch from clock_timestamp()) * 1000000)::bigint);
    insert into ledger.logs (site, log, partitions, run, reason, opened_us)
    values (of_site, new_log, new_partitions, of_run, why, moment);
    insert into ledger.positions as p (site, partition, log, epoch, worker, next_offset, events_offset)
    select of_site, n, new_log, 0, '', 0, 0 from generate_series(0, new_partitions - 1) n order by n
    on conflict (site, partition) do update set log = excluded.log, next_offset = 0, events_offset = 0;
    -- What the new log lacks names no log: nothing of it is admitted any more.
    update ledger.positions p set log = '', next_offset = 0, events_offset = 0
    where p.site = of_site and p.partition >= new_partitions;
    perform ledger.append(
        of_site, moment,
        array[left(encode(sha256(convert_to('log ' || of_site || ' ' || new_log, 'UTF8')), 'hex'), 32)],
        array['log'], array[moment], array[null::text], array[null::text],
        array[convert_to(
            concat(
                '{"type":"log_opened","schema":1,"log":', ledger.json_text(new_log), ',"partitions":', new_partitions,
                ',"run":', of_run, ',"reason":', ledger.json_text(why), '}'
            ),
            'UTF8'
        )],
        array[null::bigint], array[0::bigint]
    );
    return true;
end
$$;

-- Of every spool how far the ledger holds it; the one that moved last comes last.
create or replace function ledger.acknowledged(of_site text)
    returns table (gateway text, spool text, sequence bigint) language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select s.gateway, s.spool, s.acknowledged from ledger.spools s
    where s.site = of_site and s.acknowledged > 0 order by s.moved, s.gateway, s.spool
$$;

-- Take hold of a partition of the current log; no row where the log is not the current one.
create or replace function ledger.take_epoch(of_site text, of_log text, of_partition integer, new_worker text)
    returns table (epoch bigint, next_offset bigint) language sql
    security definer set search_path = ledger, pg_temp as $$
    update ledger.positions p set epoch = p.epoch + 1, worker = new_worker
    where p.site = of_site and p.log = of_log and p.partition = of_partition
        and of_log = (select c.log from ledger.current_log(of_site) c)
    returning p.epoch, p.next_offset
$$;

-- How far the ledger holds each partition of the current log.
create or replace function ledger.position(of_site text)
    returns table (log text, partition integer, epoch bigint, next_offset bigint, events_offset bigint)
    language sql stable security definer set search_path = ledger, pg_temp as $$
    select p.log, p.partition, p.epoch, p.next_offset, p.events_offset
    from ledger.positions p join ledger.current_log(of_site) c on c.log = p.log
    where p.site = of_site order by p.partition
$$;

-- Every partition's undecided memory, in order, from its last snapshot on.
create or replace function ledger.memory_of(of_site text)
    returns table (partitions integer, partition integer, ordinal bigint, change bytea) language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select m.partitions, m.partition, m.ordinal, m.change from ledger.memory m where m.site = of_site order by m.ordinal
$$;

-- The newest location event of each identity that hashes to the partition.
create or replace function ledger.whereabouts_of(of_site text, of_partitions integer, of_partition integer)
    returns table (identity text, location text, at_us bigint, kind text) language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select w.identity, w.location, w.at_us, w.kind from ledger.whereabouts w
    where w.site = of_site and w.hash % of_partitions = of_partition order by w.at_us, w.identity
$$;

-- Move a partition on, if log, epoch and offset are still as the caller thinks; false, and nothing done, if not.
-- The three arrays say how far the partition then holds each spool; new_memory is an encoded MemoryChange or null.
create or replace function ledger.commit_partition(
    of_site text, of_log text, of_partition integer, of_epoch bigint, from_offset bigint, to_offset bigint,
    new_events_offset bigint, gateways text[], spools text[], sequences bigint[], new_memory bytea,
    is_snapshot boolean
) returns boolean language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    log_partitions integer;
begin
    update ledger.positions p set next_offset = to_offset, events_offset = new_events_offset
    where p.site = of_site and p.partition = of_partition and p.log = of_log and p.epoch = of_epoch
        and p.next_offset = from_offset;
    if not found then
        return false;
    end if;
    -- The row is ours now, so open_log waits: if this is the current log, it stays so until the commit.
    select c.partitions into log_partitions from ledger.current_log(of_site) c where c.log = of_log;
    if not found then
        raise exception 'position % of site % names log %, which is not the current one', of_partition, of_site, of_log;
    end if;

    insert into ledger.coverage as c (site, partitions, partition, gateway, spool, sequence)
    select of_site, log_partitions, of_partition, g.gateway, g.spool, max(g.sequence)
    from unnest(gateways, spools, sequences) as g (gateway, spool, sequence)
    group by g.gateway, g.spool
    on conflict (site, gateway, spool, partitions, partition) do update set sequence = excluded.sequence
        where excluded.sequence > c.sequence;
    -- A spool is acknowledged as far as every partition holds it: only once each has spoken of it.
    insert into ledger.spools as s (site, gateway, spool, acknowledged, moved)
    select of_site, c.gateway, c.spool, min(c.sequence), nextval('ledger.moves')
    from ledger.coverage c
    where c.site = of_site and c.partitions = log_partitions
        and (c.gateway, c.spool) in (select g.gateway, g.spool from unnest(gateways, spools) as g (gateway, spool))
    group by c.gateway, c.spool having count(*) = log_partitions
    on conflict (site, gateway, spool) do update set acknowledged = excluded.acknowledged, moved = excluded.moved
        where excluded.acknowledged > s.acknowledged;

    if new_memory is not null then
        if is_snapshot then
            delete from ledger.memory m
            where m.site = of_site and m.partitions = log_partitions and m.partition = of_partition;
        end if;
        insert into ledger.memory (site, partitions, partition, snapshot, change)
        values (of_site, log_partitions, of_partition, is_snapshot, new_memory);
        -- Under another number of partitions the old memory goes when every new partition has taken it over. That
        -- number may have been used before: a snapshot from then has taken over nothing.
        if is_snapshot and exists (
            select from ledger.memory m where m.site = of_site and m.partitions <> log_partitions
        ) then
            delete from ledger.memory m
            where m.site = of_site and m.partitions <> log_partitions and log_partitions = (
                select count(distinct n.partition) from ledger.memory n
                where n.site = of_site and n.partitions = log_partitions and n.snapshot and n.ordinal > (
                    select max(o.ordinal) from ledger.memory o
                    where o.site = of_site and o.partitions <> log_partitions
                )
            );
        end if;
    end if;
    return true;
end
$$;

-- What a stage behind the hop kept; no row at first.
create or replace function ledger.stage_memory_of(of_site text, of_stage text) returns bytea language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select s.memory from ledger.stage_memory s where s.site = of_site and s.stage = of_stage
$$;

-- Keep what a stage behind the hop needs after a restart.
create or replace function ledger.keep_stage_memory(of_site text, of_stage text, new_memory bytea)
    returns void language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.stage_memory as s (site, stage, memory) values (of_site, of_stage, new_memory)
    on conflict (site, stage) do update set memory = excluded.memory
$$;

-- Add to the latency histogram.
create or replace function ledger.count_latencies(of_site text, uptos bigint[], counts bigint[])
    returns void language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.latencies as l (site, upto_us, entries)
    select of_site, g.upto_us, g.entries from unnest(uptos, counts) as g (upto_us, entries)
    on conflict (site, upto_us) do update set entries = l.entries + excluded.entries
$$;

-- Keep a copy of a head that was published.
create or replace function ledger.keep_head(
    of_site text, of_seq bigint, of_hash bytea, at_us bigint, of_key text, of_signature bytea
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.heads (site, seq, hash, signed_at_us, key, signature)
    values (of_site, of_seq, of_hash, at_us, of_key, of_signature)
    on conflict do nothing
$$;
