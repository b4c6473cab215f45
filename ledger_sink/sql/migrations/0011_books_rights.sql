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

-- Append entries, as ledger.append_any does, but for the kinds that others own: their entries stand for rows elsewhere.
create or replace function ledger.append(
    in of_site text, in at_us bigint,
    in ids text[], in kinds text[], in happened bigint[], in identities text[], in locations text[],
    in payloads bytea[], in received bigint[], in windows bigint[],
    out entered integer[], out duplicates integer, out conflicts integer, out last_seq bigint
) language plpgsql security definer set search_path = ledger, pg_temp as $$
begin
    if kinds && array['movement', 'document', 'voucher', 'book', 'epcis', 'commissioned', 'decommissioned'] then
        raise exception using errcode = 'insufficient_privilege',
            message = 'entries of kind movement, document, voucher, book, epcis, commissioned and decommissioned are '
                'made by ledger.post, ledger.post_documents, ledger.put_book, ledger.capture, ledger.commission and '
                'ledger.decommission';
    end if;
    select a.entered, a.duplicates, a.conflicts, a.last_seq into entered, duplicates, conflicts, last_seq
    from ledger.append_any(
        of_site, at_us, ids, kinds, happened, identities, locations, payloads, received, windows
    ) a;
end
$$;

-- Append entries whose identity and time stand in their payloads.
create or replace function ledger.append_identities(
    of_site text, at_us bigint, of_kind text, ids text[], payloads bytea[]
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append_any(
        of_site, at_us, array_agg(g.id order by g.place), array_agg(of_kind),
        array_agg((j.said ->> 'at_us')::bigint order by g.place), array_agg(j.said ->> 'identity' order by g.place),
        array_agg(null::text), array_agg(g.payload order by g.place), array_agg(null::bigint), array_agg(0::bigint)
    )
    from unnest(ids, payloads) with ordinality as g (id, payload, place), lateral ledger.json_of(g.payload) as j (said)
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
