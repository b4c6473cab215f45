-- The same figures for the command line, the boards and the console.

-- A payload as JSON, or null where it is none: a view must not break on what a stranger entered.
create or replace function ledger.json_of(payload bytea) returns jsonb language plpgsql stable parallel safe as $$
begin
    return convert_from(payload, 'UTF8')::jsonb;
exception when others then
    return null;
end
$$;

-- How many entries of each kind.
create or replace view ledger.counts as
    select site, kind, count(*) as entries from ledger.entries group by site, kind;

-- Input that could not be used, with its reason and its bytes.
create or replace view ledger.rejects as
    select e.site, e.seq, e.id, e.happened_us, e.recorded_us,
        j.payload ->> 'source' as source, j.payload ->> 'reason' as reason,
        (j.payload ->> 'raw_length')::bigint as raw_length, decode(j.payload ->> 'raw', 'base64') as raw
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
    where e.kind = 'reject';

-- Reads that are gone for good.
create or replace view ledger.losses as
    select e.site, e.seq, e.id, e.happened_us, e.recorded_us,
        j.payload ->> 'gateway' as gateway, j.payload ->> 'spool' as spool, j.payload ->> 'reason' as reason,
        (j.payload ->> 'first_sequence')::bigint as first_sequence,
        (j.payload ->> 'last_sequence')::bigint as last_sequence, (j.payload ->> 'reads')::bigint as reads
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
    where e.kind = 'loss';

-- Every discrepancy, open or closed.
create or replace view ledger.discrepancies as
    select o.site, o.seq, o.payload ->> 'discrepancy' as discrepancy, o.payload ->> 'problem' as problem,
        o.payload ->> 'load' as load, o.payload ->> 'expected_load' as expected_load, o.location,
        o.payload -> 'identities' as identities, o.payload ->> 'item' as item,
        (o.payload ->> 'quantity')::bigint as quantity, (o.payload ->> 'at_us')::bigint as at_us,
        (o.payload ->> 'found_us')::bigint as found_us,
        c.payload ->> 'reason' as closed_reason, (c.payload ->> 'at_us')::bigint as closed_us
    from (
        select e.site, e.seq, e.location, j.payload
        from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload) where e.kind = 'discrepancy_opened'
    ) o
    left join lateral (
        select j.payload
        from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
        where e.site = o.site and e.kind = 'discrepancy_closed' and e.seq > o.seq
            and j.payload ->> 'discrepancy' = o.payload ->> 'discrepancy'
        order by e.seq limit 1
    ) c on true;

-- The newest state of each load.
create or replace view ledger.load_states as
    select distinct on (e.site, j.payload ->> 'load')
        e.site, e.seq, j.payload ->> 'load' as load, j.payload ->> 'state' as state, e.location,
        (j.payload ->> 'expected')::bigint as expected, (j.payload ->> 'passed')::bigint as passed,
        (j.payload ->> 'at_us')::bigint as at_us
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
    where e.kind = 'load'
    order by e.site, j.payload ->> 'load', e.seq desc;

-- What each device last said of itself, through its agent.
create or replace view ledger.device_states as
    select distinct on (e.site, j.payload ->> 'device')
        e.site, e.seq, j.payload ->> 'device' as device, j.payload ->> 'state' as state,
        j.payload ->> 'detail' as detail, (j.payload ->> 'at_us')::bigint as at_us
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (payload)
    where e.kind = 'device'
    order by e.site, j.payload ->> 'device', e.seq desc;
