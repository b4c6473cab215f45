-- Trace: where an item, a batch or one piece came from, went, and what it was made of; each answer a few looks into
-- indexes, however long the ledger is.

-- Postings of one batch; those of one piece have an index already.
create index if not exists postings_of_batch on ledger.postings (site, item, batch, seq) where batch <> '';

-- The identities of a discrepancy's payload, and the discrepancy that an entry opens or closes.
create or replace function ledger.discrepancy_identities(payload bytea) returns text[]
    language plpgsql immutable parallel safe as $$
begin
    return array(select jsonb_array_elements_text(convert_from(payload, 'UTF8')::jsonb -> 'identities'));
exception when others then
    return '{}';
end
$$;
create or replace function ledger.discrepancy_of(payload bytea) returns text
    language plpgsql immutable parallel safe as $$
begin
    return convert_from(payload, 'UTF8')::jsonb ->> 'discrepancy';
exception when others then
    return null;
end
$$;
create index if not exists entries_of_discrepant on ledger.entries
    using gin (ledger.discrepancy_identities(payload)) where kind = 'discrepancy_opened';
create index if not exists entries_that_close on ledger.entries (site, ledger.discrepancy_of(payload))
    where kind = 'discrepancy_closed';

-- The movements of an item, of one batch ('' : any) or of one piece ('' : any), oldest first: what moved, from where to
-- where, by which document and step, who, and in which container.
create or replace function ledger.trace_movements(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        seq bigint, happened_us bigint, recorded_us bigint, step text, document text, kind text, party text, person text,
        batch text, quantity numeric, pieces bigint, from_locations text[], to_locations text[], to_dispositions text[],
        owner text, containers text[], is_inferred boolean, reverses text
    ) language plpgsql stable as $$
begin
    return query
    with moved as (
        select p.seq, p.batch, p.owner, min(p.happened_us) as happened_us, min(p.recorded_us) as recorded_us,
            sum(p.quantity) filter (where p.quantity > 0) as quantity,
            count(distinct p.serial) filter (where p.serial <> '') as pieces,
            array_agg(distinct p.location) filter (where p.quantity < 0) as from_locations,
            array_agg(distinct p.location) filter (where p.quantity > 0) as to_locations,
            array_agg(distinct p.disposition) filter (where p.quantity > 0) as to_dispositions,
            array_agg(distinct p.container) filter (where p.container <> '') as containers,
            bool_or(p.is_inferred) as is_inferred
        from ledger.postings p
        where p.site = of_site and p.item = of_item
            and (of_batch = '' or p.batch = of_batch) and (of_serial = '' or p.serial = of_serial)
        group by p.seq, p.batch, p.owner
    )
    select m.seq, m.happened_us, m.recorded_us, j.said ->> 'step', j.said ->> 'document', d.kind, d.party,
        j.said ->> 'person', m.batch, m.quantity, m.pieces, m.from_locations, m.to_locations, m.to_dispositions, m.owner,
        m.containers, m.is_inferred, j.said ->> 'reverses'
    from moved m
    join ledger.entries e on e.site = of_site and e.seq = m.seq
    cross join lateral ledger.json_of(e.payload) as j (said)
    left join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
    order by m.happened_us, m.seq;
end
$$;

-- The documents that brought a batch or a piece into the house: receipts, production, opening stock. Reversed ones are
-- left out.
create or replace function ledger.sources_of(of_site text, of_item text, of_batch text, of_serial text)
    returns table (seq bigint, document text, kind text, party text, happened_us bigint, quantity numeric)
    language plpgsql stable as $$
begin
    return query
    select d.seq, d.id, d.kind, d.party, d.happened_us, -sum(p.quantity)
    from ledger.postings p
    join lateral ledger.book_place_now(of_site, p.location) w on w.kind in ('supplier', 'production', 'opening')
    join ledger.entries e on e.site = p.site and e.seq = p.seq
    cross join lateral ledger.json_of(e.payload) as j (said)
    join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
    where p.site = of_site and p.item = of_item and p.quantity < 0
        and (of_batch = '' or p.batch = of_batch) and (of_serial = '' or p.serial = of_serial)
        and d.kind in ('goods_receipt', 'production_receipt', 'opening')
        and not exists (
            select from ledger.documents r where r.site = of_site and r.refers = d.id and r.kind = 'reversal'
        )
    group by d.seq, d.id, d.kind, d.party, d.happened_us;
end
$$;

-- Backward: what a batch or a piece is made of, down to what suppliers brought. depth 0 is the thing itself. A component
-- whose batch nobody wrote down is named, and not followed: it could be any.
create or replace function ledger.trace_back(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        depth integer, item text, batch text, document text, kind text, party text, happened_us bigint, quantity numeric,
        used numeric
    ) language plpgsql stable as $$
declare
    depth_max constant integer := 30;
begin
    return query
    with recursive parts as (
        select 0 as depth, of_item as item, of_batch as batch, of_serial as serial, null::numeric as used,
            array[of_item || chr(31) || of_batch] as path
        union all
        select p.depth + 1, c.item, c.batch, '', c.quantity, p.path || (c.item || chr(31) || c.batch)
        from parts p
        cross join lateral ledger.sources_of(of_site, p.item, p.batch, p.serial) s
        join ledger.document_lines l on l.site = of_site and l.seq = s.seq and l.item = p.item
            and (p.batch = '' or l.batch = p.batch or l.batch = '')
        join ledger.document_components c on c.site = of_site and c.seq = s.seq and c.line = l.line
        where s.kind = 'production_receipt' and (p.batch <> '' or p.serial <> '') and p.depth < depth_max
            and (c.item || chr(31) || c.batch) <> all (p.path)
    ), found as (
        select p.depth, p.item, p.batch, p.serial, sum(p.used) as used
        from parts p group by p.depth, p.item, p.batch, p.serial
    )
    select f.depth, f.item, f.batch, s.document, s.kind, s.party, s.happened_us, s.quantity, f.used
    from found f
    left join lateral (
        select s.* from ledger.sources_of(of_site, f.item, f.batch, f.serial) s where f.batch <> '' or f.serial <> ''
    ) s on true
    order by f.depth, f.item, f.batch, s.happened_us;
end
$$;

-- Forward: what a batch went into, and to whom that was shipped. depth 0 is the thing itself.
create or replace function ledger.trace_forward(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        depth integer, item text, batch text, document text, kind text, party text, happened_us bigint, quantity numeric
    ) language plpgsql stable as $$
declare
    depth_max constant integer := 30;
begin
    return query
    with recursive goods as (
        select 0 as depth, of_item as item, of_batch as batch, of_serial as serial, array[of_item || chr(31) || of_batch]
            as path
        union all
        select g.depth + 1, l.item, l.batch, '', g.path || (l.item || chr(31) || l.batch)
        from goods g
        join ledger.document_components c on c.site = of_site and c.item = g.item and c.batch = g.batch
        join ledger.document_lines l on l.site = of_site and l.seq = c.seq and l.line = c.line
        join ledger.documents d on d.site = of_site and d.seq = c.seq
        where g.batch <> '' and g.depth < depth_max and (l.item || chr(31) || l.batch) <> all (g.path)
            and not exists (
                select from ledger.documents r where r.site = of_site and r.refers = d.id and r.kind = 'reversal'
            )
    ), found as (
        select distinct g.depth, g.item, g.batch, g.serial from goods g
    )
    select f.depth, f.item, f.batch, s.id, s.kind, s.party, s.happened_us, s.quantity
    from found f
    left join lateral (
        select d.id, d.kind, d.party, d.happened_us, sum(p.quantity) as quantity
        from ledger.postings p
        join lateral ledger.book_place_now(of_site, p.location) w on w.kind in ('customer', 'supplier', 'scrap')
        join ledger.entries e on e.site = p.site and e.seq = p.seq
        cross join lateral ledger.json_of(e.payload) as j (said)
        join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
        where p.site = of_site and p.item = f.item and (f.batch <> '' or f.serial <> '')
            and (f.batch = '' or p.batch = f.batch) and (f.serial = '' or p.serial = f.serial)
            and d.kind in ('sales_shipment', 'customer_return', 'supplier_return', 'scrap')
            and not exists (
                select from ledger.documents r where r.site = of_site and r.refers = d.id and r.kind = 'reversal'
            )
        group by d.id, d.kind, d.party, d.happened_us
    ) s on true
    order by f.depth, f.item, f.batch, s.happened_us;
end
$$;

revoke all on function
    ledger.discrepancy_identities(bytea), ledger.discrepancy_of(bytea),
    ledger.trace_movements(text, text, text, text), ledger.sources_of(text, text, text, text),
    ledger.trace_back(text, text, text, text), ledger.trace_forward(text, text, text, text)
    from public;
grant execute on function
    ledger.discrepancy_identities(bytea), ledger.discrepancy_of(bytea),
    ledger.trace_movements(text, text, text, text), ledger.sources_of(text, text, text, text),
    ledger.trace_back(text, text, text, text), ledger.trace_forward(text, text, text, text)
    to ledger_reader, ledger_appender, ledger_sink;

do $$ begin perform ledger.close_rights(); end $$;
