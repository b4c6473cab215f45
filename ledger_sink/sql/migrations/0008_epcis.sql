-- EPCIS: entries that speak of several identities, and capturing others' events.

-- The identities that an entry speaks of beside its own: an event of a pallet belongs to each case's life.
create table if not exists ledger.mentions (
    site text not null,
    identity text not null,
    seq bigint not null,
    primary key (site, identity, seq)
);

create or replace trigger insert_only before update or delete or truncate on ledger.mentions
    for each statement execute function ledger.refuse_change();

-- Enter events of kind epcis that are not there yet, with the identities that they speak of. An event that is there is
-- skipped by its id alone: partners add times and ids of their own to an event, and it is still the same. Gives how
-- many are new. (ledger.append_any is made in 0011, out of ledger.append.)
create or replace function ledger.capture(
    of_site text, at_us bigint, ids text[], happened bigint[], identities text[], locations text[], payloads bytea[],
    mentioning text[], mentioned text[]
) returns bigint language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    before_seq bigint := (ledger.lock_chain(of_site)).seq;
    after_seq bigint;
begin
    select a.last_seq into after_seq
    from (
        select array_agg(g.id order by g.place) as ids, array_agg(g.happened order by g.place) as happened,
            array_agg(g.identity order by g.place) as identities, array_agg(g.location order by g.place) as locations,
            array_agg(g.payload order by g.place) as payloads, count(*)::integer as count
        from (
            select distinct on (u.id) u.* from unnest(ids, happened, identities, locations, payloads) with ordinality
                as u (id, happened, identity, location, payload, place)
            order by u.id, u.place
        ) g
        where (select true from ledger.entries e where e.site = of_site and e.id = g.id) is null
    ) n, ledger.append_any(
        of_site, at_us, n.ids, array_fill('epcis'::text, array[n.count]), n.happened, n.identities, n.locations,
        n.payloads, array_fill(null::bigint, array[n.count]), array_fill(0::bigint, array[n.count])
    ) a
    where n.count > 0;
    if after_seq is null then
        return 0;
    end if;
    insert into ledger.mentions (site, identity, seq)
    select distinct of_site, m.identity, e.seq
    from unnest(mentioning, mentioned) as m (id, identity)
    join ledger.entries e on e.site = of_site and e.id = m.id and e.seq > before_seq
    where e.identity is distinct from m.identity;
    return after_seq - before_seq;
end
$$;

revoke all on function ledger.capture(
    text, bigint, text[], bigint[], text[], text[], bytea[], text[], text[]
) from public;
grant execute on function ledger.capture(
    text, bigint, text[], bigint[], text[], text[], bytea[], text[], text[]
) to ledger_appender, ledger_sink;
grant select on ledger.mentions to ledger_reader, ledger_sink;
