-- EPCIS queries: which entries speak of what, without looking at all of them.

-- When entries happened and were recorded, coarsely: both times mostly grow with the place in the chain, so a few pages
-- of this index tell which pages of entries a span of time lies on. It costs next to nothing when entries are appended.
create index if not exists entries_by_time on ledger.entries using brin (happened_us, recorded_us)
    with (pages_per_range = 32, autosummarize = on);

-- What an entry mentions; mentions are else found by identity.
create index if not exists mentions_of_entry on ledger.mentions (site, seq);

-- Movements of a piece, by its serial number alone: an EPC names an item by its GTIN, which several items may have had.
create index if not exists postings_by_serial on ledger.postings (site, serial, seq) where serial <> '';

-- Entries that take others back: movements, and documents that moved nothing.
create or replace view ledger.epcis_reversals as
    select r.site, r.seq, r.reversed from ledger.reversals r
    union all
    select d.site, d.seq, e.id
    from ledger.documents d
    join ledger.documents o on o.site = d.site and o.id = d.refers
    join ledger.entries e on e.site = o.site and e.seq = o.seq
    where d.kind = 'reversal' and o.kind = 'purchase_invoice';

-- Entries that may speak of some identities: their own, those that mention them, and movements of their serial numbers
-- or with them as containers. Movements that take such a movement back speak of the same.
create or replace function ledger.epcis_entries_of(of_site text, identities text[], serials text[])
    returns setof bigint language sql stable as $$
    with moved as (
        select p.seq from ledger.postings p where p.site = of_site and p.serial = any (serials) and p.serial <> ''
        union
        select p.seq from ledger.postings p
        where p.site = of_site and p.container = any (identities) and p.container <> ''
        union
        -- A container that was taken apart, and held only others: the movement follows its document, of one call.
        select e.seq
        from ledger.unpackings u
        join ledger.documents d on d.site = u.site and d.seq = u.seq
        join ledger.entries e on e.site = d.site and e.seq > d.seq and e.seq < d.seq + 20000
            and e.recorded_us = d.recorded_us and e.kind = 'movement'
            and position(convert_to('"document":' || to_json(d.id)::text, 'UTF8') in e.payload) > 0
        where u.site = of_site and u.container = any (identities)
    )
    select e.seq from ledger.entries e where e.site = of_site and e.identity = any (identities)
    union
    select m.seq from ledger.mentions m where m.site = of_site and m.identity = any (identities)
    union
    select m.seq from moved m
    union
    select r.seq from moved m
    join ledger.entries e on e.site = of_site and e.seq = m.seq
    join ledger.reversals r on r.site = of_site and r.reversed = e.id
$$;

grant select on ledger.epcis_reversals to ledger_reader, ledger_sink, ledger_appender;
revoke all on function ledger.epcis_entries_of(text, text[], text[]) from public;
grant execute on function ledger.epcis_entries_of(text, text[], text[])
    to ledger_reader, ledger_sink, ledger_appender;
