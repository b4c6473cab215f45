-- Who may append what: entries that stand for rows elsewhere are made only by the functions that make both.

-- The one function that appends, for the functions of the ledger alone: no program's role reaches it.
do $$
begin
    if to_regprocedure(
        'ledger.append_any(text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[])'
    ) is null then
        alter function ledger.append(
            text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[]
        ) rename to append_any;
    end if;
end
$$;

-- Append entries, as ledger.append_any does, but for the kinds that others own: a movement's entry has postings, an
-- entry of kind book has its row, an EPCIS event has mentions.
create or replace function ledger.append(
    in of_site text, in at_us bigint,
    in ids text[], in kinds text[], in happened bigint[], in identities text[], in locations text[],
    in payloads bytea[], in received bigint[], in windows bigint[],
    out entered integer[], out duplicates integer, out conflicts integer, out last_seq bigint
) language plpgsql security definer set search_path = ledger, pg_temp as $$
begin
    if kinds && array['movement', 'book', 'epcis'] then
        raise exception
            'entries of kind movement, book and epcis are made by ledger.post, ledger.put_book and ledger.capture'
            using errcode = 'insufficient_privilege';
    end if;
    select a.entered, a.duplicates, a.conflicts, a.last_seq into entered, duplicates, conflicts, last_seq
    from ledger.append_any(
        of_site, at_us, ids, kinds, happened, identities, locations, payloads, received, windows
    ) a;
end
$$;

-- Keep sightings that are not there yet. The same again is skipped and counted; other content under the same id becomes
-- a reject entry. Gives how many are new. The chain is locked before anything is kept: who appends holds it when it
-- counts, and two that lock in another order would wait for each other.
create or replace function ledger.add_evidence(
    of_site text, at_us bigint, ids text[], entries text[], identities text[], locations text[],
    firsts bigint[], lasts bigint[], counts bigint[], payloads bytea[]
) returns integer language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains := ledger.lock_chain(of_site);
    added integer;
    refused record;
begin
    with given as (
        select * from unnest(ids, entries, identities, locations, firsts, lasts, counts, payloads)
            as g (id, entry, identity, location, first_us, last_us, reads, payload)
    )
    insert into ledger.evidence (
        site, id, entry, identity, location, first_us, last_us, reads, payload, recorded_us
    )
    select of_site, g.id, g.entry, g.identity, g.location, g.first_us, g.last_us, g.reads, g.payload, at_us from given g
    on conflict (site, id) do nothing;
    get diagnostics added = row_count;

    if added < cardinality(ids) then
        select array_agg(g.id) as ids, array_agg(g.last_us) as lasts, array_agg(g.payload) as payloads,
            array_agg(sha256(convert_to(concat(g.id, ' ', g.reads, ' '), 'UTF8') || g.payload)) as contents
        into refused
        from unnest(ids, lasts, counts, payloads) as g (id, last_us, reads, payload)
        join ledger.evidence e on e.site = of_site and e.id = g.id
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

revoke all on function
    ledger.append_any(text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[])
    from public, ledger_appender, ledger_sink;
revoke all on function
    ledger.append(text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[])
    from public;
grant execute on function
    ledger.append(text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[])
    to ledger_appender, ledger_sink;
