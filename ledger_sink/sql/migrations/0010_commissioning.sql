-- Identities from birth: numbers that are handed out once, births, ends, and tags that nobody should meet.

-- How far each series of numbers is handed out. One counter for all sites: an identity is unique in the world.
create table if not exists ledger.series (
    -- The identity in front of the number: https://id.gs1.org/01/{gtin}/21/, or https://id.gs1.org/00/ with the extension
    -- digit and the company prefix.
    key text primary key,
    -- The next number. Numbers that were handed out and never used are gaps, which do no harm.
    next bigint not null check (next > 0)
);

-- Every identity that was commissioned here: what its entries say of it, and in what it is now. Made from entries, in the
-- transaction that appends them.
create table if not exists ledger.identities (
    identity text primary key,
    site text not null,
    -- unit      one piece of an item
    -- case      holds units
    -- pallet    holds cases or units
    packing text not null,
    item text not null,
    quantity bigint not null,
    batch text not null,
    expiry text not null,
    -- What it was born in, and what it is in now; null: nothing.
    parent text,
    -- What was written on the tag.
    epc bytea not null,
    -- The entry of its birth.
    born_seq bigint not null,
    born_us bigint not null,
    -- The entry of its end; null: it lives.
    ended_seq bigint,
    ended_us bigint,
    -- The identity that took its place.
    successor text
);

create index if not exists identities_in on ledger.identities (parent) where parent is not null;

-- Hand out numbers of a series: the next ones from `at_least` on that no identity has yet. The series' row is the lock:
-- two writers never get the same. Raises numeric_value_out_of_range where the series is used up.
create or replace function ledger.allocate(of_key text, how_many integer, most bigint, at_least bigint)
    returns bigint[] language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    upcoming bigint;
    found_numbers bigint[] := '{}';
    free bigint[];
begin
    if how_many not between 1 and 10000 then
        raise exception 'between 1 and 10000 numbers at once, not %', how_many;
    end if;
    insert into ledger.series as s (key, next) values (of_key, greatest(at_least, 1))
    on conflict (key) do update set next = greatest(s.next, excluded.next)
    returning s.next into upcoming;
    while cardinality(found_numbers) < how_many loop
        if upcoming + how_many - cardinality(found_numbers) - 1 > most then
            raise exception 'series % has no % numbers left up to %', of_key, how_many, most
                using errcode = 'numeric_value_out_of_range';
        end if;
        -- A serial that somebody chose by hand is skipped. An SSCC is never chosen by hand.
        select array_agg(n order by n) into free
        from generate_series(upcoming, upcoming + how_many - cardinality(found_numbers) - 1) n
        where not exists (select from ledger.identities i where i.identity = of_key || n);
        upcoming := upcoming + how_many - cardinality(found_numbers);
        found_numbers := found_numbers || coalesce(free, '{}');
    end loop;
    update ledger.series set next = upcoming where key = of_key;
    return found_numbers;
end
$$;

-- What is wrong with births: an identity that was there before, or a parent that is none.
create or replace function ledger.mistakes_in_births(of_site text, ids text[], payloads bytea[])
    returns table (place bigint, problem text) language sql stable as $$
    with given as (
        select g.place, g.id, g.payload, j.said, j.said ->> 'identity' as identity, j.said ->> 'parent' as parent
        from unnest(ids, payloads) with ordinality as g (id, payload, place), lateral ledger.json_of(g.payload) as j (said)
    )
    select g.place, format('%s was commissioned before, by entry %s of site %s', g.identity, i.born_seq, i.site)
    from given g join ledger.identities i on i.identity = g.identity
    union all
    select g.place, format('%s comes twice', g.identity)
    from given g where exists (select from given o where o.identity = g.identity and o.place < g.place)
    union all
    select g.place, format('%s is to be in %s, which %s', g.identity, g.parent,
        case when i.identity is null then 'was never commissioned' when i.packing = 'unit' then 'is a unit and holds nothing'
            else 'was decommissioned' end)
    from given g left join ledger.identities i on i.identity = g.parent
    where g.parent is not null and (i.identity is null or i.packing = 'unit' or i.ended_us is not null)
        and not exists (select from given o where o.identity = g.parent and o.place < g.place)
$$;

-- Enter births, all or none: ids and payloads of entries (canonical JSON of contracts.commissioning.Commissioned). What
-- was entered before just so is known and changes nothing. Where one is wrong each wrong one becomes a reject entry.
-- Gives the number of new ones, and what is wrong.
create or replace function ledger.commission(
    in of_site text, in at_us bigint, in ids text[], in payloads bytea[], out entered bigint, out problems text[]
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    before_seq bigint := (ledger.lock_chain(of_site)).seq;
    fresh integer[];
begin
    select array_agg(g.place order by g.place) into fresh
    from unnest(ids, payloads) with ordinality as g (id, payload, place)
    where not coalesce((select e.payload = g.payload from ledger.entries e where e.site = of_site and e.id = g.id), false);
    ids := array(select ids[n] from unnest(fresh) n);
    payloads := array(select payloads[n] from unnest(fresh) n);
    select array_agg(m.problem order by m.place, m.problem) into problems
    from ledger.mistakes_in_births(of_site, ids, payloads) m;
    entered := 0;
    if problems is not null then
        perform ledger.refuse_identities(of_site, at_us, m.problem, payloads[m.place])
        from ledger.mistakes_in_births(of_site, ids, payloads) m;
        return;
    end if;
    if fresh is null then
        return;
    end if;
    perform ledger.append_identities(of_site, at_us, 'commissioned', ids, payloads);
    insert into ledger.identities (
        identity, site, packing, item, quantity, batch, expiry, parent, epc, born_seq, born_us
    )
    select e.identity, of_site, j.said ->> 'packing', j.said ->> 'item', (j.said ->> 'quantity')::bigint,
        j.said ->> 'batch', j.said ->> 'expiry', j.said ->> 'parent', decode(j.said ->> 'epc', 'hex'), e.seq,
        e.happened_us
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (said)
    where e.site = of_site and e.seq > before_seq and e.kind = 'commissioned';
    get diagnostics entered = row_count;
    -- A serial chosen by hand makes its series ours as well.
    insert into ledger.series (key, next)
    select distinct substring(e.identity from '^.*/01/\d{14}/21/'), 1 from ledger.entries e
    where e.site = of_site and e.seq > before_seq and e.identity ~ '/01/\d{14}/21/'
    on conflict (key) do nothing;
    insert into ledger.mentions (site, identity, seq)
    select distinct of_site, m.identity, e.seq
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (said),
        lateral (values (j.said ->> 'parent'), (j.said ->> 'replaces')) as m (identity)
    where e.site = of_site and e.seq > before_seq and e.kind = 'commissioned' and m.identity is not null;
end
$$;

-- Enter ends, all or none (canonical JSON of contracts.commissioning.Decommissioned), as commission does births. What an
-- identity held is from now on in its successor, or in nothing.
create or replace function ledger.decommission(
    in of_site text, in at_us bigint, in ids text[], in payloads bytea[], out entered bigint, out problems text[]
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    before_seq bigint := (ledger.lock_chain(of_site)).seq;
    fresh integer[];
begin
    select array_agg(g.place order by g.place) into fresh
    from unnest(ids, payloads) with ordinality as g (id, payload, place)
    where not coalesce((select e.payload = g.payload from ledger.entries e where e.site = of_site and e.id = g.id), false);
    entered := 0;
    if fresh is null then
        return;
    end if;
    with wrong as (
        select g.place, g.payload, format('%s %s', g.identity, case
            when i.identity is null then 'was never commissioned here' else 'was decommissioned before' end) as problem
        from (
            select n as place, payloads[n] as payload, ledger.json_of(payloads[n]) ->> 'identity' as identity
            from unnest(fresh) n
        ) g
        left join ledger.identities i on i.identity = g.identity and i.site = of_site
        where i.identity is null or i.ended_us is not null
    ), refused as (
        select ledger.refuse_identities(of_site, at_us, w.problem, w.payload), w.place, w.problem from wrong w
    )
    select array_agg(r.problem order by r.place) into problems from refused r;
    if problems is not null then
        return;
    end if;
    perform ledger.append_identities(
        of_site, at_us, 'decommissioned', array(select ids[n] from unnest(fresh) n),
        array(select payloads[n] from unnest(fresh) n)
    );
    insert into ledger.mentions (site, identity, seq)
    select of_site, c.identity, e.seq
    from ledger.entries e join ledger.identities c on c.parent = e.identity and c.ended_us is null
    where e.site = of_site and e.seq > before_seq and e.kind = 'decommissioned'
    union
    select of_site, j.said ->> 'successor', e.seq
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (said)
    where e.site = of_site and e.seq > before_seq and e.kind = 'decommissioned' and j.said ->> 'successor' is not null;
    update ledger.identities i set ended_seq = e.seq, ended_us = e.happened_us, successor = j.said ->> 'successor'
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (said)
    where e.site = of_site and e.seq > before_seq and e.kind = 'decommissioned' and i.identity = e.identity;
    get diagnostics entered = row_count;
    update ledger.identities c set parent = i.successor from ledger.identities i
    where c.parent = i.identity and c.ended_us is null and i.site = of_site and i.ended_seq > before_seq;
end
$$;

-- Append entries whose identity and time stand in their payloads.
create or replace function ledger.append_identities(
    of_site text, at_us bigint, of_kind text, ids text[], payloads bytea[]
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append(
        of_site, at_us, array_agg(g.id order by g.place), array_agg(of_kind),
        array_agg((j.said ->> 'at_us')::bigint order by g.place), array_agg(j.said ->> 'identity' order by g.place),
        array_agg(null::text), array_agg(g.payload order by g.place), array_agg(null::bigint), array_agg(0::bigint)
    )
    from unnest(ids, payloads) with ordinality as g (id, payload, place), lateral ledger.json_of(g.payload) as j (said)
$$;

-- A reject for a birth or an end that was refused.
create or replace function ledger.refuse_identities(of_site text, at_us bigint, problem text, payload bytea)
    returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append(
        of_site, at_us,
        array[left(encode(sha256(convert_to(concat('refused identity ', problem, ' ', at_us, ' '), 'UTF8') || payload),
            'hex'), 32)],
        array['reject'], array[at_us], array[null::text], array[null::text],
        array[ledger.reject_payload('commissioning', problem, payload, at_us)], array[null::bigint], array[0::bigint]
    )
$$;

revoke all on function
    ledger.allocate(text, integer, bigint, bigint), ledger.mistakes_in_births(text, text[], bytea[]),
    ledger.commission(text, bigint, text[], bytea[]), ledger.decommission(text, bigint, text[], bytea[]),
    ledger.append_identities(text, bigint, text, text[], bytea[]),
    ledger.refuse_identities(text, bigint, text, bytea) from public;
grant execute on function
    ledger.allocate(text, integer, bigint, bigint), ledger.commission(text, bigint, text[], bytea[]),
    ledger.decommission(text, bigint, text[], bytea[]) to ledger_appender;
grant select on ledger.series, ledger.identities to ledger_reader, ledger_sink, ledger_appender;
