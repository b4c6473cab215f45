-- EPCIS: an eventID names one content.

-- What finds a captured event by its eventID: the id's SHA-256, for it may be longer than an index takes. Null where
-- there is none. Not parallel safe: before PostgreSQL 18 no worker may catch an error. Costly, so that no plan prefers
-- to work it out for many entries.
create or replace function ledger.event_key(payload bytea) returns bytea language plpgsql immutable cost 1000 as $$
begin
    return sha256(convert_to(convert_from(payload, 'UTF8')::jsonb -> 'event' ->> 'eventID', 'UTF8'));
exception when others then
    return null;
end
$$;
create index if not exists entries_by_event_id on ledger.entries (site, ledger.event_key(payload)) where kind = 'epcis';

-- Which of these events are refused, by place from 1: those whose eventID stands for other content, that is for another
-- event hash. The hash leaves error declarations out, so a declaration passes beside the event that it declares.
-- An eventID stands for: what was captured under it; the event whose hash it is, if that was captured; what comes first
-- under it here. An event whose eventID is its own hash proves that it is right, and always passes, as does what was
-- captured under the same eventID before.
-- is_others: whether the caller knows that the eventID is that of another event, of entries of our own.
create or replace function ledger.refused_events(of_site text, ids text[], payloads bytea[], is_others boolean[])
    returns integer[] language sql as $$
    with named as materialized (
        select g.place::integer as place, g.is_other, g.payload, j.said ->> 'event_hash' as hash,
            j.said -> 'event' ->> 'eventID' as event_id
        from unnest(payloads, is_others) with ordinality as g (payload, is_other, place),
            lateral ledger.json_of(g.payload) as j (said)
        where j.said -> 'event' ->> 'eventID' is not null
    ), standing as (
        select j.said -> 'event' ->> 'eventID' as event_id, array_agg(distinct j.said ->> 'event_hash') as hashes
        from ledger.entries e, lateral ledger.json_of(e.payload) as j (said)
        where e.site = of_site and e.kind = 'epcis' and ledger.event_key(e.payload) = any (
            array(select ledger.event_key(n.payload) from named n where n.event_id <> n.hash)
        )
        group by 1
    ), owned as (
        -- The id of an event's entry, as contracts.ids.content_id makes it of the hash, without a declaration.
        select n.place, left(encode(sha256(convert_to(
            concat('epcis', octet_length(n.event_id), ':', n.event_id, '0:'), 'UTF8'
        )), 'hex'), 32) as id
        from named n where n.event_id <> n.hash
    ), judged as (
        select n.place, n.event_id, n.hash, s.hashes,
            n.event_id <> n.hash and coalesce(n.hash <> all (s.hashes), true) and (
                n.is_other or s.hashes is not null or h.id is not null
                or coalesce((select true from ledger.entries e where e.site = of_site and e.id = o.id), false)
            ) as is_refused
        from named n
        left join standing s on s.event_id = n.event_id
        left join owned o on o.place = n.place
        left join (select distinct g.id from unnest(ids) as g (id)) h on h.id = o.id
    ), firsts as (
        select distinct on (j.event_id) j.event_id, j.hash from judged j
        where not j.is_refused order by j.event_id, j.place
    )
    select coalesce(array_agg(j.place order by j.place), '{}')
    from judged j left join firsts f on f.event_id = j.event_id
    where j.is_refused or j.hashes is null and j.event_id <> j.hash and j.hash <> f.hash
$$;

-- Enter events of kind epcis that are not there yet, with the identities that they speak of. An event that is there is
-- skipped by its id alone: partners add times and ids of their own to an event, and it is still the same. An event
-- whose eventID stands for other content is refused, and a reject entry takes its place: reasons say why, should it be.
-- Gives how many are new, and the places (from 1) of those that were refused.
drop function if exists ledger.capture(text, bigint, text[], bigint[], text[], text[], bytea[], text[], text[]);
create or replace function ledger.capture(
    in of_site text, in at_us bigint, in ids text[], in happened bigint[], in identities text[], in locations text[],
    in payloads bytea[], in is_others boolean[], in reasons text[], in mentioning text[], in mentioned text[],
    out entered bigint, out refused integer[]
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    before_seq constant bigint := (ledger.lock_chain(of_site)).seq;
begin
    refused := ledger.refused_events(of_site, ids, payloads, is_others);
    select a.events into entered
    from (
        select array_agg(g.id order by g.place) as ids, array_agg(g.kind order by g.place) as kinds,
            array_agg(g.happened order by g.place) as happened, array_agg(g.identity order by g.place) as identities,
            array_agg(g.location order by g.place) as locations, array_agg(g.payload order by g.place) as payloads,
            count(*)::integer as count, count(*) filter (where g.kind = 'epcis') as events
        from (
            select distinct on (f.id) f.*
            from (
                select u.place, 'epcis' as kind, u.id, u.happened, u.identity, u.location, u.payload
                from unnest(ids, happened, identities, locations, payloads) with ordinality
                    as u (id, happened, identity, location, payload, place)
                where u.place <> all (refused)
                union all
                -- Its id follows from what was refused, so refusing the same once more enters nothing.
                select r.place, 'reject', left(encode(sha256('refused event '::bytea || payloads[r.place]), 'hex'), 32),
                    happened[r.place], null, null,
                    ledger.reject_payload('epcis', reasons[r.place], payloads[r.place], happened[r.place])
                from unnest(refused) as r (place)
            ) f
            order by f.id, f.place
        ) g
        where (select true from ledger.entries e where e.site = of_site and e.id = g.id) is null
    ) a
    cross join lateral ledger.append_any(
        of_site, at_us, a.ids, a.kinds, a.happened, a.identities, a.locations, a.payloads,
        array_fill(null::bigint, array[a.count]), array_fill(0::bigint, array[a.count])
    )
    where a.count > 0;
    entered := coalesce(entered, 0);
    perform ledger.tally(of_site, 'conflicts', cardinality(refused));
    insert into ledger.mentions (site, identity, seq)
    select distinct of_site, m.identity, e.seq
    from unnest(mentioning, mentioned) as m (id, identity)
    join ledger.entries e on e.site = of_site and e.id = m.id and e.seq > before_seq
    where e.identity is distinct from m.identity;
end
$$;

grant execute on function ledger.capture(
    text, bigint, text[], bigint[], text[], text[], bytea[], boolean[], text[], text[], text[]
) to ledger_appender, ledger_sink;

do $$
begin
    perform ledger.close_rights();
end
$$;
