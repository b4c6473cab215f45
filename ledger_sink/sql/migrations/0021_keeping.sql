-- Keeping: evidence lies in monthly partitions, so that old months can be forgotten whole. Entries are kept for ever, and
-- each location event's payload holds the digest of its sightings: a copy that was kept elsewhere can still be checked.
--
-- The month is that of recording, by the ledger's own time: a device's wrong clock makes no partition. Sightings are told
-- apart over all months by evidence_ids, which outlives them: what comes again after its month was forgotten is still
-- the same and is not kept twice.

alter table ledger.evidence rename to evidence_before;
alter index ledger.evidence_pkey rename to evidence_before_pkey;
alter index ledger.evidence_of_identity rename to evidence_before_of_identity;

create table ledger.evidence (
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
    -- As that of the entries of the same transaction.
    recorded_us bigint not null,
    primary key (site, id, recorded_us)
) partition by range (recorded_us);
create index evidence_of_identity on ledger.evidence (site, identity, first_us);

-- Every sighting that was ever kept, and when: there its row lies, or lay.
create table ledger.evidence_ids (
    site text not null,
    id text not null,
    recorded_us bigint not null,
    primary key (site, id)
);

-- The partition of a month, made where it is missing. Attaching waits for nobody who reads or writes.
create function ledger.evidence_month(at_us bigint) returns void
    language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    month constant timestamp := date_trunc('month', timestamp 'epoch' + at_us * interval '1 microsecond');
    name constant text := 'evidence_' || to_char(month, 'YYYY_MM');
begin
    if to_regclass('ledger.' || name) is not null then
        return;
    end if;
    -- Two sites may come to a new month at once.
    perform pg_advisory_xact_lock(hashtext('ledger.evidence_month'));
    if to_regclass('ledger.' || name) is not null then
        return;
    end if;
    execute format('create table ledger.%I (like ledger.evidence including defaults including constraints)', name);
    execute format(
        'create trigger insert_only before update or delete or truncate on ledger.%I '
        'for each statement execute function ledger.refuse_change()', name
    );
    execute format(
        'alter table ledger.evidence attach partition ledger.%I for values from (%s) to (%s)', name,
        (extract(epoch from month) * 1000000)::bigint,
        (extract(epoch from month + interval '1 month') * 1000000)::bigint
    );
end
$$;

do $$
begin
    perform ledger.evidence_month(m.recorded_us)
    from (
        select min(b.recorded_us) as recorded_us from ledger.evidence_before b
        group by date_trunc('month', timestamp 'epoch' + b.recorded_us * interval '1 microsecond')
    ) m;
end
$$;
insert into ledger.evidence select * from ledger.evidence_before;
insert into ledger.evidence_ids (site, id, recorded_us) select b.site, b.id, b.recorded_us from ledger.evidence_before b;
drop table ledger.evidence_before;

create trigger insert_only before update or delete or truncate on ledger.evidence
    for each statement execute function ledger.refuse_change();
create trigger insert_only before update or delete or truncate on ledger.evidence_ids
    for each statement execute function ledger.refuse_change();

-- Keep sightings that are not there yet. The same again is skipped and counted; other content under the same id becomes
-- a reject entry. Gives how many are new. The chain is locked before anything is kept: who appends holds it when it
-- counts, and two that lock in another order would wait for each other.
create or replace function ledger.add_evidence(
    of_site text, at_us bigint, ids text[], entries text[], identities text[], locations text[],
    firsts bigint[], lasts bigint[], counts bigint[], payloads bytea[]
) returns integer language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains := ledger.lock_chain(of_site);
    recorded constant bigint := greatest(at_us, chain.recorded_us);
    added integer;
    refused record;
begin
    perform ledger.evidence_month(recorded);
    with given as (
        select * from unnest(ids, entries, identities, locations, firsts, lasts, counts, payloads) with ordinality
            as g (id, entry, identity, location, first_us, last_us, reads, payload, place)
    ), fresh as (
        insert into ledger.evidence_ids (site, id, recorded_us) select of_site, g.id, recorded from given g
        on conflict (site, id) do nothing
        returning id
    )
    insert into ledger.evidence (
        site, id, entry, identity, location, first_us, last_us, reads, payload, recorded_us
    )
    select distinct on (g.id) of_site, g.id, g.entry, g.identity, g.location, g.first_us, g.last_us, g.reads, g.payload,
        recorded
    from fresh f join given g on g.id = f.id order by g.id, g.place;
    get diagnostics added = row_count;

    if added < cardinality(ids) then
        select array_agg(g.id) as ids, array_agg(g.last_us) as lasts, array_agg(g.payload) as payloads,
            array_agg(sha256(convert_to(concat(g.id, ' ', g.reads, ' '), 'UTF8') || g.payload)) as contents
        into refused
        from unnest(ids, lasts, counts, payloads) as g (id, last_us, reads, payload)
        join ledger.evidence_ids i on i.site = of_site and i.id = g.id
        join ledger.evidence e on e.site = i.site and e.id = i.id and e.recorded_us = i.recorded_us
        where (e.reads, e.payload) is distinct from (g.reads, g.payload);
        perform ledger.tally(
            of_site, 'evidence_duplicates', cardinality(ids) - added - coalesce(cardinality(refused.ids), 0)
        );
        if refused.ids is not null then
            perform ledger.tally(of_site, 'conflicts', cardinality(refused.ids));
            perform ledger.refuse_entries(
                of_site, at_us, 'sighting', refused.ids, refused.contents, refused.lasts, refused.payloads, chain.seq
            );
        end if;
    end if;
    return added;
end
$$;

-- The months of evidence that are there: their first moment, the first moment after, rows as the planner counts them
-- (-1: not counted yet), bytes with indexes.
create view ledger.evidence_months as
    select c.relname as name, (b.bounds)[1]::bigint as from_us, (b.bounds)[2]::bigint as to_us,
        c.reltuples::bigint as sightings, pg_total_relation_size(c.oid) as bytes
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join lateral regexp_match(
        pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(-?\d+)''?\) TO \(''?(-?\d+)''?\)'
    ) as b (bounds)
    where i.inhparent = 'ledger.evidence'::regclass;

-- Forget the evidence of all months that end by an instant. Every site that loses some says so in its chain, so that
-- verification knows what is gone by order and what is not. Nothing younger than a month can be forgotten.
-- Removing a month waits for whoever reads evidence (verification, an export), and the chains are held meanwhile: it
-- gives up after a few seconds, before sinks notice.
create function ledger.forget_evidence(before_us bigint, at_us bigint, out month text, out sightings bigint)
    returns setof record language plpgsql security definer set search_path = ledger, pg_temp set lock_timeout = '3s'
    as $$
declare
    found_month record;
    lost record;
begin
    if before_us > at_us - 31 * 86400000000 then
        raise exception 'evidence is kept for a month at least' using errcode = 'invalid_parameter_value';
    end if;
    for found_month in
        select m.name, m.from_us, m.to_us from ledger.evidence_months m where m.to_us <= before_us order by m.from_us
    loop
        month := found_month.name;
        sightings := 0;
        for lost in execute format(
            'select e.site, count(*) as sightings, sum(e.reads)::bigint as reads from ledger.%I e '
            'group by e.site order by e.site', found_month.name
        ) loop
            sightings := sightings + lost.sightings;
            perform ledger.append_any(
                lost.site, at_us,
                array[left(encode(sha256(convert_to(concat_ws(' ', 'forgotten', found_month.from_us), 'UTF8')), 'hex'), 32)],
                array['evidence_forgotten'], array[at_us], array[null::text], array[null::text],
                array[convert_to(concat(
                    '{"type":"evidence_forgotten","schema":1,"from_us":', found_month.from_us, ',"to_us":',
                    found_month.to_us, ',"sightings":', lost.sightings, ',"reads":', lost.reads, '}'
                ), 'UTF8')],
                array[null::bigint], array[0::bigint]
            );
        end loop;
        begin
            execute format('drop table ledger.%I', found_month.name);
        exception when lock_not_available then
            raise exception 'evidence is being read, by a verification or an export: nothing was forgotten'
                using errcode = 'lock_not_available';
        end;
        return next;
    end loop;
end
$$;

-- Tags that nobody should meet: read after they were decommissioned, or of a series that is ours and never commissioned.
-- Looks at every sighting of these.
create view ledger.unknown_tags as
    select t.site, t.identity, t.problem, t.successor, min(t.first_us) as first_us, max(t.last_us) as last_us,
        sum(t.reads)::bigint as reads, (array_agg(t.location order by t.last_us desc))[1] as location
    from (
        select e.site, e.identity, 'decommissioned' as problem, i.successor, e.first_us, e.last_us, e.reads, e.location
        from ledger.identities i join ledger.evidence e on e.identity = i.identity and e.last_us > i.ended_us
        union all
        select e.site, e.identity, 'never_commissioned', null, e.first_us, e.last_us, e.reads, e.location
        from ledger.series s join ledger.evidence e on starts_with(e.identity, s.key)
        where not exists (select from ledger.identities i where i.identity = e.identity)
    ) t
    group by t.site, t.identity, t.problem, t.successor;

-- ledger_keeper   forgets evidence that is past its time
do $$
begin
    if not exists (select from pg_roles r where r.rolname = 'ledger_keeper') then
        create role ledger_keeper nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;
end
$$;
grant usage on schema ledger to ledger_keeper;
revoke all on function ledger.evidence_month(bigint), ledger.forget_evidence(bigint, bigint) from public;
grant execute on function ledger.forget_evidence(bigint, bigint) to ledger_keeper;
grant select on ledger.evidence_months to ledger_keeper, ledger_reader;
grant select on ledger.evidence, ledger.evidence_ids, ledger.unknown_tags to ledger_reader, ledger_sink;
grant select on ledger.unknown_tags to ledger_appender;
