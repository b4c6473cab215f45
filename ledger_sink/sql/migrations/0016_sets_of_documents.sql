-- Posting many documents at once; see 0015_sets.sql.

-- Documents and their lines, as the tables hold them but for seq, which holds the document's place in the call;
-- is_usual is false where anything about one of them needs a closer look. As ledger.read_movement_set reads. `moved`
-- holds the document that each one's movement names, and moved_us its time.
create or replace function ledger.read_document_set(
    in of_site text, in at_us bigint, in payloads bytea[], in moved text[], in moved_us bigint[],
    out ids text[], out happened bigint[], out documents ledger.documents[], out lines ledger.document_lines[],
    out components ledger.document_components[], out is_usual boolean
) language sql stable set enable_nestloop = off as $$
    with given as materialized (
        select g.place, convert_from(g.payload, 'UTF8') as text, d.*
        from unnest(payloads) with ordinality as g (payload, place), jsonb_to_record(
            convert_from(g.payload, 'UTF8')::jsonb
        ) as d (
            id text, kind text, happened_us bigint, due_us bigint, party text, refers text, warehouse text,
            to_warehouse text, currency text, rate text, person text, approved_by text, "case" text, reason text,
            is_physical boolean, lines jsonb, components jsonb
        )
    ), read as materialized (
        select g.place, l.* from given g, rows from (
            jsonb_to_recordset(g.lines) as (
                line bigint, item text, quantity text, unit text, unit_quantity text, price text, net text, tax text,
                tax_amount text, net_base text, tax_base text, location text, to_location text, batch text,
                disposition text, to_disposition text, owner text, container text, order_line bigint, reason text
            )
        ) with ordinality as l (
            line, item, quantity, unit, unit_quantity, price, net, tax, tax_amount, net_base, tax_base, location,
            to_location, batch, disposition, to_disposition, owner, container, order_line, reason, turn
        )
    ), items as materialized (
        select d.item from (select distinct r.item from read r) d
        where (select true from ledger.book_items b where b.site = of_site and b.item = d.item limit 1)
    ), line_texts as (
        select r.place, count(*) <= 1000 and bool_and(coalesce(
                r.line = r.turn and i.item is not null and r.order_line between 0 and 9007199254740992
                and concat_ws(' ', r.quantity, r.unit_quantity) ~ '^(-?[0-9]{1,15}(\.[0-9]{1,6})?( |$)){2}$'
                and concat_ws(' ', r.price, r.net, r.tax_amount, r.net_base, r.tax_base)
                    ~ '^ *(-?[0-9]{1,15}(\.[0-9]{1,6})?( +|$))*$'
                and greatest(
                    octet_length(r.unit), octet_length(r.tax), octet_length(r.location), octet_length(r.to_location),
                    octet_length(r.batch), octet_length(r.disposition), octet_length(r.to_disposition),
                    octet_length(r.owner), octet_length(r.container), octet_length(r.reason)
                ) <= 200, false
            )) as is_right,
            string_agg(concat(
                '{"line":', r.line, ',"item":', ledger.json_text(r.item), ',"quantity":"', r.quantity, '","unit":',
                ledger.json_text(r.unit), ',"unit_quantity":"', r.unit_quantity, '","price":"', r.price, '","net":"',
                r.net, '","tax":', ledger.json_text(r.tax), ',"tax_amount":"', r.tax_amount, '","net_base":"',
                r.net_base, '","tax_base":"', r.tax_base, '","location":', ledger.json_text(r.location),
                ',"to_location":', ledger.json_text(r.to_location), ',"batch":', ledger.json_text(r.batch),
                ',"disposition":', ledger.json_text(r.disposition), ',"to_disposition":',
                ledger.json_text(r.to_disposition), ',"owner":', ledger.json_text(r.owner), ',"container":',
                ledger.json_text(r.container), ',"order_line":', r.order_line, ',"reason":',
                ledger.json_text(r.reason), '}'
            ), ',' order by r.turn) as text
        from read r left join items i on i.item = r.item group by r.place
    ), components as materialized (
        select g.place, c.* from given g, rows from (
            jsonb_to_recordset(g.components) as (line bigint, item text, quantity text, batch text)
        ) with ordinality as c (line, item, quantity, batch, turn)
    ), component_texts as (
        select c.place, count(*) <= 1000 and bool_and(coalesce(
                c.line between 0 and 9007199254740992 and octet_length(c.item) between 1 and 200
                and octet_length(c.batch) <= 200 and c.quantity ~ '^-?[0-9]{1,15}(\.[0-9]{1,6})?$', false
            )) as is_right,
            string_agg(concat(
                '{"line":', c.line, ',"item":', ledger.json_text(c.item), ',"quantity":"', c.quantity, '","batch":',
                ledger.json_text(c.batch), '}'
            ), ',' order by c.turn) as text
        from components c group by c.place
    ), judged as (
        select g.place, g.kind, coalesce(
            g.text = concat(
                '{"type":"document","schema":1,"id":', ledger.json_text(g.id), ',"kind":', ledger.json_text(g.kind),
                ',"happened_us":', g.happened_us, ',"due_us":', g.due_us, ',"party":', ledger.json_text(g.party),
                ',"refers":', ledger.json_text(g.refers), ',"warehouse":', ledger.json_text(g.warehouse),
                ',"to_warehouse":', ledger.json_text(g.to_warehouse), ',"currency":', ledger.json_text(g.currency),
                ',"rate":"', g.rate, '","person":', ledger.json_text(g.person), ',"approved_by":',
                ledger.json_text(g.approved_by), ',"case":', ledger.json_text(g."case"), ',"reason":',
                ledger.json_text(g.reason), ',"is_physical":', g.is_physical::text, ',"lines":[', l.text,
                '],"components":[', c.text, ']}'
            )
            and g.rate ~ '^-?[0-9]{1,15}(\.[0-9]{1,6})?$' and coalesce(l.is_right, true) and coalesce(c.is_right, true)
            and octet_length(g.id) between 1 and 200 and greatest(
                octet_length(g.party), octet_length(g.refers), octet_length(g.warehouse),
                octet_length(g.to_warehouse), octet_length(g.currency), octet_length(g.person),
                octet_length(g.approved_by), octet_length(g."case"), octet_length(g.reason)
            ) <= 200
            and g.happened_us between coalesce(b.before_us, 0) and least(at_us + 60000000, 9007199254740992)
            and g.due_us between 0 and 9007199254740992
            and coalesce((moved[g.place], moved_us[g.place]) = (g.id, g.happened_us), true)
            and (g.kind <> 'adjustment' or g.approved_by not in ('', g.person)), false
        ) as is_right
        from given g left join line_texts l on l.place = g.place left join component_texts c on c.place = g.place
        cross join (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) b
    )
    select
        (select array_agg(g.id order by g.place) from given g),
        (select array_agg(g.happened_us order by g.place) from given g),
        (select array_agg(row(
            of_site, g.place, g.id, g.kind, g.party, g.refers, g.warehouse, g.to_warehouse, g.person, g.happened_us,
            g.due_us, 0
        )::ledger.documents order by g.place) from given g),
        (select array_agg(row(
            of_site, r.place, r.turn, r.item, r.quantity, nullif(r.net_base, ''), r.location, r.to_location, r.batch,
            r.owner, r.order_line, r.reason
        )::ledger.document_lines order by r.place, r.turn) from read r),
        (select array_agg(row(
            of_site, c.place, c.turn, c.line, c.item, c.quantity, c.batch
        )::ledger.document_components order by c.place, c.turn) from components c),
        bool_and(j.is_right and ledger.is_document_kind(j.kind)) and count(*) = cardinality(payloads)
    from judged j
$$;

-- Vouchers and their lines, as the tables hold them but for seq, which holds the voucher's place in the call, and what
-- they change on stock accounts; is_usual is false where anything about one of them needs a closer look. The movements'
-- ids belong to the documents' places.
create or replace function ledger.read_voucher_set(
    in of_site text, in payloads bytea[], in places integer[], in documents ledger.documents[], in movements text[],
    out ids text[], out vouchers ledger.vouchers[], out lines ledger.voucher_lines[], out stock ledger.set_value[],
    out is_usual boolean
) language sql stable set enable_nestloop = off as $$
    with settings as materialized (
        select s.said ->> 'base_currency' as currency, (s.said ->> 'money_decimals')::integer as decimals,
            s.said ->> 'mode' = 'erp_led' as is_proposal,
            ledger.data_now(of_site, 'chart', s.said ->> 'chart') as chart
        from ledger.settings_now(of_site) s (said)
    ), accounts as materialized (
        select a.* from settings s, ledger.accounts_of(s.chart) a
    ), given as materialized (
        select g.turn, g.place, convert_from(g.payload, 'UTF8') as text, v.*
        from unnest(payloads, places) with ordinality as g (payload, place, turn), jsonb_to_record(
            convert_from(g.payload, 'UTF8')::jsonb
        ) as v (
            id text, document text, movement text, rule text, occasion text, happened_us bigint, currency text,
            lines jsonb, reverses text, is_proposal boolean
        )
    ), read as materialized (
        select g.turn, g.place, l.* from given g, rows from (
            jsonb_to_recordset(g.lines) as (
                account text, debit text, credit text, item text, quantity text, price text, tax text, currency text,
                currency_amount text, party text, document_line bigint
            )
        ) with ordinality as l (
            account, debit, credit, item, quantity, price, tax, currency, currency_amount, party, document_line, line
        )
    ), valued as materialized (
        select d.item from (select distinct r.item from read r where r.item <> '') d
        where ledger.data_now(of_site, 'costing', d.item) is not null
    ), judged as materialized (
        select r.turn, r.place, r.line, r.account, r.debit::numeric, r.credit::numeric, r.item, r.quantity::numeric,
            r.tax, r.currency, nullif(r.currency_amount, '')::numeric as currency_amount, r.party, r.document_line,
            a.is_stock,
            coalesce(
                concat_ws(' ', r.debit, r.credit, r.quantity) ~ '^(-?[0-9]{1,15}(\.[0-9]{1,6})?( |$)){3}$'
                and concat_ws(' ', r.price, r.currency_amount) ~ '^ *(-?[0-9]{1,15}(\.[0-9]{1,6})?( +|$))*$'
                and case when r.quantity::numeric = 0 then (r.debit::numeric = 0) <> (r.credit::numeric = 0)
                    else r.debit::numeric = 0 or r.credit::numeric = 0 end
                and r.debit::numeric = round(r.debit::numeric, s.decimals)
                and r.credit::numeric = round(r.credit::numeric, s.decimals)
                and case when a.is_stock then v.item is not null else r.quantity::numeric = 0 end
                and r.document_line between 0 and 9007199254740992 and octet_length(r.account) between 1 and 200
                and greatest(
                    octet_length(r.item), octet_length(r.tax), octet_length(r.currency), octet_length(r.party)
                ) <= 200, false
            ) as is_right,
            concat(
                '{"account":', ledger.json_text(r.account), ',"debit":"', r.debit, '","credit":"', r.credit,
                '","item":', ledger.json_text(r.item), ',"quantity":"', r.quantity, '","price":"', r.price,
                '","tax":', ledger.json_text(r.tax), ',"currency":', ledger.json_text(r.currency),
                ',"currency_amount":"', r.currency_amount, '","party":', ledger.json_text(r.party),
                ',"document_line":', r.document_line, '}'
            ) as text
        from read r cross join settings s left join accounts a on a.account = r.account
        left join valued v on v.item = r.item
    ), whole as (
        select j.turn, string_agg(j.text, ',' order by j.line) as text,
            bool_and(j.is_right) and sum(j.debit) = sum(j.credit) and count(*) <= 1000 as is_right
        from judged j group by j.turn
    ), heads as (
        select coalesce(
            w.is_right and g.text = concat(
                '{"type":"voucher","schema":1,"id":', ledger.json_text(g.id), ',"document":',
                ledger.json_text(g.document), ',"movement":', ledger.json_text(g.movement), ',"rule":',
                ledger.json_text(g.rule), ',"occasion":"', g.occasion, '","happened_us":', g.happened_us,
                ',"currency":', ledger.json_text(g.currency), ',"lines":[', w.text, '],"reverses":"","is_proposal":',
                g.is_proposal::text, '}'
            )
            and octet_length(g.id) between 1 and 200 and octet_length(g.rule) <= 200
            and g.occasion in ('posting', 'revaluation', 'reversal')
            and g.currency = s.currency and g.is_proposal = s.is_proposal
            and (g.document, g.movement, g.happened_us) = (d.id, coalesce(movements[g.place], ''), d.happened_us), false
        ) as is_right
        from given g cross join settings s left join whole w on w.turn = g.turn
        left join unnest(documents) d on d.seq = g.place
    )
    select
        (select array_agg(g.id order by g.turn) from given g),
        (select array_agg(row(
            of_site, g.turn, g.id, g.document, g.movement, g.rule, g.occasion, g.happened_us, 0, g.currency,
            g.reverses, g.is_proposal
        )::ledger.vouchers order by g.turn) from given g),
        (select array_agg(row(
            of_site, j.turn, j.line, j.account, j.debit, j.credit, j.item, j.quantity, j.tax, j.currency,
            j.currency_amount, j.party, j.document_line
        )::ledger.voucher_lines order by j.turn, j.line) from judged j),
        (select array_agg(row(t.place, t.item, t.quantity, t.value)::ledger.set_value) from (
            select j.place, j.item, sum(j.quantity) as quantity, sum(j.debit - j.credit) as value
            from judged j where j.is_stock group by j.place, j.item
        ) t),
        coalesce((select bool_and(h.is_right) from heads h), true)
            and (select count(*) from heads) = coalesce(cardinality(payloads), 0)
$$;

-- Whether what moves, the lines on stock accounts and the valuations tell the same, document by document and item by
-- item, and whether all of it stands on what it was made from; see ledger.mistakes_in_values and ledger.is_stale.
create or replace function ledger.is_usual_value(
    of_site text, began bigint, documents ledger.documents[], moved ledger.set_line[], stock ledger.set_value[],
    changes ledger.set_value[], bases jsonb
) returns boolean language sql stable set enable_nestloop = off as $$
    select not exists (
        select from (
            select m.place, m.item, m.quantity as moved, 0 as quantity, 0 as value, 0 as valued_quantity, 0 as valued
            from ledger.valued_changes_of(of_site, moved) m
            union all
            select s.place, s.item, 0, s.quantity, s.value, 0, 0 from unnest(stock) s
            union all
            select c.place, c.item, 0, 0, 0, c.quantity, c.value from unnest(changes) c
        ) t
        group by t.place, t.item
        having sum(t.moved) <> sum(t.quantity) or sum(t.moved) <> sum(t.valued_quantity)
            or sum(t.value) <> sum(t.valued)
    ) and not exists (
        select from (select distinct s.item from unnest(stock) s) i
        where coalesce((
            select v.seq from ledger.valuations v where v.site = of_site and v.item = i.item order by v.seq desc limit 1
        ), 0) <> coalesce((bases ->> i.item)::bigint, 0)
    ) and not exists (
        select from unnest(documents) g
        where g.refers <> '' and bases ? '' and (
            (
                select true from ledger.documents d
                where d.site = of_site and d.refers = g.refers and d.refers <> '' and d.seq > (bases ->> '')::bigint
                    and d.seq <= began
                limit 1
            ) or (
                select true from ledger.documents d
                where d.site = of_site and d.id = g.refers and d.seq > (bases ->> '')::bigint and d.seq <= began
            )
        )
    )
$$;

-- Whether a document of these has something in common with what became nothing in the same call.
create or replace function ledger.is_undone(
    undone text[], documents bytea[], movements bytea[], vouchers bytea[], voucher_places integer[],
    valuations bytea[], valuation_places integer[]
) returns boolean language sql stable set enable_nestloop = off as $$
    select exists (
        select from unnest(documents, movements) with ordinality as g (document, movement, place)
        where undone && ledger.subjects_of(row(
            convert_from(g.document, 'UTF8')::jsonb, convert_from(g.movement, 'UTF8')::jsonb,
            array(select convert_from(v.payload, 'UTF8')::jsonb from unnest(vouchers, voucher_places) v (payload, place)
                where v.place = g.place),
            array(select convert_from(v.payload, 'UTF8')::jsonb
                from unnest(valuations, valuation_places) v (payload, place) where v.place = g.place)
        )::ledger.bundle)
    )
$$;

-- The rows of documents that are entered as one set; the arrays of seqs hold the entries by document and voucher, and
-- the last entry of each document.
create or replace function ledger.enter_document_set(
    of_site text, recorded bigint, documents ledger.documents[], document_lines ledger.document_lines[],
    components ledger.document_components[], document_seqs bigint[], moved ledger.set_line[],
    movement_seqs bigint[], vouchers ledger.vouchers[], voucher_lines ledger.voucher_lines[],
    voucher_seqs bigint[], valuations ledger.valuations[], last_seqs bigint[]
) returns void language plpgsql as $$
begin
    insert into ledger.documents (
        site, seq, id, kind, party, refers, warehouse, to_warehouse, person, happened_us, due_us, recorded_us
    )
    select of_site, document_seqs[d.seq], d.id, d.kind, d.party, d.refers, d.warehouse, d.to_warehouse, d.person,
        d.happened_us, d.due_us, recorded
    from unnest(documents) d;
    insert into ledger.document_lines (
        site, seq, line, item, quantity, net_base, location, to_location, batch, owner, order_line, reason
    )
    select of_site, document_seqs[l.seq], l.line, l.item, l.quantity, l.net_base, l.location, l.to_location, l.batch,
        l.owner, l.order_line, l.reason
    from unnest(document_lines) l;
    insert into ledger.document_components (site, seq, place, line, item, quantity, batch)
    select of_site, document_seqs[c.seq], c.place, c.line, c.item, c.quantity, c.batch from unnest(components) c;
    perform ledger.enter_lines(of_site, moved, movement_seqs, recorded);
    insert into ledger.vouchers (
        site, seq, id, document, movement, rule, occasion, happened_us, recorded_us, currency, reverses, is_proposal
    )
    select of_site, voucher_seqs[v.seq], v.id, v.document, v.movement, v.rule, v.occasion, v.happened_us, recorded,
        v.currency, v.reverses, v.is_proposal
    from unnest(vouchers) v;
    insert into ledger.voucher_lines (
        site, seq, line, account, debit, credit, item, quantity, tax, currency, currency_amount, party, document_line
    )
    select of_site, voucher_seqs[l.seq], l.line, l.account, l.debit, l.credit, l.item, l.quantity, l.tax, l.currency,
        l.currency_amount, l.party, l.document_line
    from unnest(voucher_lines) l;
    insert into ledger.valuations (site, item, seq, method, quantity, value, price, layers, recorded_us)
    select of_site, v.item, last_seqs[v.seq], v.method, v.quantity, v.value, v.price, v.layers, recorded
    from unnest(valuations) v;
end
$$;

-- Enter documents as one set with all that they lead to, where all of them are usual. Gives each one's entry, and the
-- bases that later ones of the call stand on; seqs is null where they are not, and nothing is entered.
create or replace function ledger.post_document_set(
    in of_site text, in at_us bigint, in began bigint, in documents bytea[], in movements bytea[], in vouchers bytea[],
    in voucher_places integer[], in valuations bytea[], in valuation_places integer[], in undone text[],
    inout bases jsonb, out seqs bigint[]
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains := ledger.lock_chain(of_site);
    recorded constant bigint := greatest(at_us, chain.recorded_us);
    d record;
    m record;
    v record;
    n record;
    e record;
    last_seqs bigint[];
begin
    select r.* into m from ledger.read_movement_set(of_site, at_us, movements) r;
    select r.* into d from ledger.read_document_set(of_site, at_us, documents, m.documents, m.happened) r;
    select r.* into v from ledger.read_voucher_set(of_site, vouchers, voucher_places, d.documents, m.ids) r;
    select r.* into n from ledger.read_valuation_set(of_site, valuations, valuation_places, bases) r;
    if not (d.is_usual and m.is_usual and v.is_usual and n.is_usual) then
        return;
    end if;
    -- The entries in order: each document, its movement, its vouchers.
    with listed as (
        select g.place, 0 as sort, g.place as turn, g.id, g.happened_us, g.payload
        from unnest(d.ids, d.happened, documents) with ordinality as g (id, happened_us, payload, place)
        union all
        select g.place, 1, g.place, g.id, g.happened_us, g.payload
        from unnest(m.ids, m.happened, movements) with ordinality as g (id, happened_us, payload, place)
        where g.id is not null
        union all
        select g.place, 2, g.turn, g.id, d.happened[g.place], g.payload
        from unnest(v.ids, vouchers, voucher_places) with ordinality as g (id, payload, place, turn)
    ), numbered as (
        select l.*, chain.seq + row_number() over (order by l.place, l.sort, l.turn) as seq from listed l
    )
    select array_agg(o.id order by o.seq) as ids,
        array_agg((array['document', 'movement', 'voucher'])[o.sort + 1] order by o.seq) as kinds,
        array_agg(o.happened_us order by o.seq) as happened, array_agg(o.payload order by o.seq) as payloads,
        array_agg(o.seq order by o.place) filter (where o.sort = 0) as documents,
        array_agg(case when m.ids[o.place] is not null then o.seq + 1 end order by o.place)
            filter (where o.sort = 0) as movements,
        array_agg(o.seq order by o.turn) filter (where o.sort = 2) as vouchers,
        count(*)::integer as count, count(distinct o.id collate "C") as names
    into e from numbered o;
    if e.names < e.count
        or exists (
            select from unnest(e.ids) i where (select true from ledger.entries k where k.site = of_site and k.id = i)
        )
        or not ledger.is_usual_value(of_site, began, d.documents, m.lines, v.stock, n.changes, bases)
        or not ledger.is_usual_book(of_site, m.lines)
        or undone <> '{}' and ledger.is_undone(
            undone, documents, movements, vouchers, voucher_places, valuations, valuation_places
        )
    then
        return;
    end if;
    perform ledger.append_any(
        of_site, at_us, e.ids, e.kinds, e.happened, array_fill(null::text, array[e.count]),
        array_fill(null::text, array[e.count]), e.payloads, array_fill(null::bigint, array[e.count]),
        array_fill(0::bigint, array[e.count])
    );
    last_seqs := array(select f - 1 from unnest(e.documents[2:]) f) || (chain.seq + e.count);
    perform ledger.enter_document_set(
        of_site, recorded, d.documents, d.lines, d.components, e.documents, m.lines, e.movements, v.vouchers, v.lines,
        e.vouchers, n.valuations, last_seqs
    );
    bases := bases || coalesce(
        (select jsonb_object_agg(w.item, last_seqs[w.seq] order by w.seq) from unnest(n.valuations) w), '{}'
    );
    seqs := e.documents;
end
$$;

-- As ledger.post_document_set, of `width` documents behind the first `done`. Nothing is entered either where the checks
-- did not foresee an error.
create or replace function ledger.post_document_slice(
    in of_site text, in at_us bigint, in began bigint, in documents bytea[], in movements bytea[], in vouchers bytea[],
    in voucher_places integer[], in valuations bytea[], in valuation_places integer[], in done integer,
    in width integer, in undone text[], inout bases jsonb, out seqs bigint[]
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    v record;
    n record;
begin
    select array_agg(g.payload order by g.turn) as payloads, array_agg(g.place - done order by g.turn) as places into v
    from unnest(vouchers, voucher_places) with ordinality as g (payload, place, turn)
    where g.place > done and g.place <= done + width;
    select array_agg(g.payload order by g.turn) as payloads, array_agg(g.place - done order by g.turn) as places into n
    from unnest(valuations, valuation_places) with ordinality as g (payload, place, turn)
    where g.place > done and g.place <= done + width;
    select s.bases, s.seqs into bases, seqs from ledger.post_document_set(
        of_site, at_us, began, documents[done + 1 : done + width], movements[done + 1 : done + width], v.payloads,
        v.places, n.payloads, n.places, undone, bases
    ) s;
exception when others then
    if ledger.is_world_down(sqlstate) then
        raise;
    end if;
    seqs := null;
end
$$;

revoke all on function
    ledger.read_document_set(text, bigint, bytea[], text[], bigint[]),
    ledger.read_voucher_set(text, bytea[], integer[], ledger.documents[], text[]),
    ledger.read_valuation_set(text, bytea[], integer[], jsonb),
    ledger.is_usual_value(
        text, bigint, ledger.documents[], ledger.set_line[], ledger.set_value[], ledger.set_value[], jsonb
    ),
    ledger.is_undone(text[], bytea[], bytea[], bytea[], integer[], bytea[], integer[]),
    ledger.enter_document_set(
        text, bigint, ledger.documents[], ledger.document_lines[], ledger.document_components[], bigint[],
        ledger.set_line[], bigint[], ledger.vouchers[], ledger.voucher_lines[], bigint[], ledger.valuations[], bigint[]
    ),
    ledger.post_document_set(
        text, bigint, bigint, bytea[], bytea[], bytea[], integer[], bytea[], integer[], text[], jsonb
    ),
    ledger.post_document_slice(
        text, bigint, bigint, bytea[], bytea[], bytea[], integer[], bytea[], integer[], integer, integer, text[], jsonb
    )
    from public;
