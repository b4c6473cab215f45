-- Posting documents: each with its movement, its vouchers and what its items are worth behind it, whole or not at all.

-- Whether what a bundle was prepared from is the newest no more: the valuation of an item, or, where bases has a field
-- without a name, the documents that refer to the same one. Documents of this call (behind `began`) are no surprise.
create or replace function ledger.is_stale(of_site text, b ledger.bundle, bases jsonb, began bigint) returns boolean
    language sql stable as $$
    select exists (
        select from (
            select v.said ->> 'item' as item from unnest(b.valuations) v (said)
            union
            select l.item from ledger.voucher_lines_of(b) l where l.item <> '' and l.quantity <> 0
        ) i
        left join lateral ledger.valuation_now(of_site, i.item) n on true
        where coalesce(n.seq, 0) <> coalesce((bases ->> i.item)::bigint, 0)
    ) or exists (
        select from ledger.documents d
        where d.site = of_site and b.document ->> 'refers' <> ''
            and (d.refers = b.document ->> 'refers' or d.id = b.document ->> 'refers')
            and d.seq > (bases ->> '')::bigint and d.seq <= began
    )
$$;

-- What is wrong with a document itself, beside its movement.
create or replace function ledger.mistakes_in_document(of_site text, at_us bigint, b ledger.bundle)
    returns table (place integer, problem text) language sql stable as $$
    select 0, format('%s is no kind of document', b.document ->> 'kind')
    where not ledger.is_document_kind(b.document ->> 'kind')
    union all
    select 0, 'an adjustment needs the approval of somebody else'
    where b.document ->> 'kind' = 'adjustment' and b.document ->> 'approved_by' in ('', b.document ->> 'person')
    union all
    select 0, 'its time has not come yet' where (b.document ->> 'happened_us')::bigint > at_us + 60000000
    union all
    select 0, format('the period before %s is closed', to_char(to_timestamp(p.before_us / 1e6) at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS') || ' UTC')
    from (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) p
    where (b.document ->> 'happened_us')::bigint < p.before_us
    union all
    select l.place::integer, case when (l.said ->> 'line')::bigint <> l.place
        then format('it is numbered %s', l.said ->> 'line') else format('item %s is not known', l.said ->> 'item') end
    from jsonb_array_elements(b.document -> 'lines') with ordinality as l (said, place)
    where (l.said ->> 'line')::bigint <> l.place
        or not exists (select from ledger.book_item_now(of_site, l.said ->> 'item'))
    union all
    select 0, 'its movement is not of this document, at its time'
    where (b.movement ->> 'document', b.movement -> 'happened_us') <> (b.document ->> 'id', b.document -> 'happened_us')
    union all
    select 0, format('voucher %s is not of this document and movement, at its time', v.said ->> 'id')
    from unnest(b.vouchers) v (said)
    where (v.said ->> 'document', v.said ->> 'movement', v.said -> 'happened_us')
        <> (b.document ->> 'id', coalesce(b.movement ->> 'id', ''), b.document -> 'happened_us')
$$;

-- What is wrong with the vouchers of a bundle, each by itself.
create or replace function ledger.mistakes_in_vouchers(of_site text, b ledger.bundle)
    returns table (place integer, problem text) language sql stable as $$
    with settings as (
        select s.said ->> 'base_currency' as currency, (s.said ->> 'money_decimals')::integer as decimals,
            s.said ->> 'mode' = 'erp_led' as is_proposal, s.said ->> 'chart' as chart,
            ledger.data_now(of_site, 'chart', s.said ->> 'chart') as accounts
        from ledger.settings_now(of_site) s (said)
    ), vouchers as (
        select v.place::integer as place, v.said, v.said ->> 'id' as id
        from unnest(b.vouchers) with ordinality as v (said, place)
    ), lines as (
        select l.*, v.id, a.account is not null as is_known, coalesce(a.is_stock, false) as is_stock
        from ledger.voucher_lines_of(b) l
        join vouchers v on v.place = l.voucher
        left join (settings s cross join ledger.accounts_of(s.accounts) a) on a.account = l.account
    )
    select v.place, format('chart %s is not there: put it first', s.chart) from vouchers v, settings s
    where v.place = 1 and s.accounts is null
    union all
    select v.place, format('voucher %s: %s is no occasion', v.id, v.said ->> 'occasion') from vouchers v
    where v.said ->> 'occasion' not in ('posting', 'revaluation', 'reversal')
    union all
    select v.place, format('voucher %s is in %s, the base currency is %s', v.id, v.said ->> 'currency', s.currency)
    from vouchers v, settings s where v.said ->> 'currency' <> s.currency
    union all
    select v.place, format('voucher %s must %sbe a proposal, because of whose book counts', v.id,
        case when s.is_proposal then '' else 'not ' end)
    from vouchers v, settings s where (v.said ->> 'is_proposal')::boolean <> s.is_proposal
    union all
    select v.place, format('voucher %s, which %s takes back, is not known', v.said ->> 'reverses', v.id)
    from vouchers v
    where v.said ->> 'reverses' <> '' and not exists (
        select from ledger.vouchers o where o.site = of_site and o.id = v.said ->> 'reverses')
    union all
    select v.place, format('voucher %s, which %s takes back, was taken back before', v.said ->> 'reverses', v.id)
    from vouchers v
    where v.said ->> 'reverses' <> '' and exists (
        select from ledger.vouchers o where o.site = of_site and o.reverses = v.said ->> 'reverses')
    union all
    select v.place, format('voucher %s has no lines', v.id) from vouchers v
    where not exists (select from lines l where l.voucher = v.place)
    union all
    select min(l.voucher), format('voucher %s does not balance: its debits are %s, its credits %s', l.id, sum(l.debit),
        sum(l.credit))
    from lines l group by l.id having sum(l.debit) <> sum(l.credit)
    union all
    select l.voucher, format('voucher %s line %s: %s', l.id, l.line, m.problem)
    from lines l cross join settings s cross join lateral (
        select format('account %s is not in chart %s', l.account, s.chart) as problem
        where not l.is_known and s.accounts is not null
        union all
        select 'it has both a debit and a credit' where l.debit <> 0 and l.credit <> 0
        union all
        select 'it has neither a debit nor a credit' where l.debit = 0 and l.credit = 0 and l.quantity = 0
        union all
        select format('amounts in %s have %s decimals', s.currency, s.decimals)
        where l.debit <> round(l.debit, s.decimals) or l.credit <> round(l.credit, s.decimals)
        union all
        select format('account %s holds the value of stock: the line must name its item', l.account)
        where l.is_stock and l.item = ''
        union all
        select format('item %s is not valued: put its costing first', l.item)
        where l.is_stock and l.item <> '' and ledger.data_now(of_site, 'costing', l.item) is null
        union all
        select format('account %s does not hold the value of stock: the line must have no quantity', l.account)
        where l.is_known and not l.is_stock and l.quantity <> 0
    ) m
$$;

-- What does not fit between movement, vouchers and valuations: item by item the stock that moves, the lines on stock
-- accounts and the valuation before and behind must tell the same quantity and the same value.
create or replace function ledger.mistakes_in_values(of_site text, b ledger.bundle)
    returns table (item text, problem text) language sql stable as $$
    with stock as (
        select l.item, sum(l.quantity) as quantity, sum(l.debit - l.credit) as value
        from ledger.voucher_lines_of(b) l
        join ledger.accounts_of(ledger.data_now(of_site, 'chart', ledger.settings_now(of_site) ->> 'chart')) a
            on a.account = l.account and a.is_stock
        group by l.item
    ), given as (
        select v.said ->> 'item' as item, v.said ->> 'method' as method, (v.said ->> 'quantity')::numeric as quantity,
            (v.said ->> 'value')::numeric as value, v.said -> 'layers' as layers, count(*) over (
                partition by v.said ->> 'item') as times
        from unnest(b.valuations) v (said)
    ), changes as (
        select i.item, coalesce(m.quantity, 0) as moved, coalesce(s.quantity, 0) as quantity,
            coalesce(s.value, 0) as value, coalesce(g.quantity - coalesce(n.quantity, 0), 0) as valued_quantity,
            coalesce(g.value - coalesce(n.value, 0), 0) as valued
        from (
            select c.item from ledger.valued_changes(of_site, b.movement) c
            union
            select k.item from stock k
            union
            select g.item from given g
        ) i
        left join ledger.valued_changes(of_site, b.movement) m on m.item = i.item
        left join stock s on s.item = i.item
        left join (select distinct on (g.item) g.* from given g) g on g.item = i.item
        left join lateral ledger.valuation_now(of_site, i.item) n on true
    )
    select c.item, format('%s of it move, the lines on stock accounts say %s', c.moved, c.quantity)
    from changes c where c.moved <> c.quantity
    union all
    select c.item, format('%s of it move, its valuation says %s', c.moved, c.valued_quantity)
    from changes c where c.moved <> c.valued_quantity
    union all
    select c.item, format('the lines on stock accounts change its value by %s, its valuation by %s', c.value, c.valued)
    from changes c where c.value <> c.valued
    union all
    select distinct g.item, 'it has more than one valuation' from given g where g.times > 1
    union all
    select g.item, format('it is valued by %s, not by %s', coalesce(d.said ->> 'method', 'nothing'), g.method)
    from given g left join lateral ledger.data_now(of_site, 'costing', g.item) d (said) on true
    where g.method is distinct from d.said ->> 'method'
    union all
    select g.item, format('nothing of it is worth %s', g.value) from given g where g.quantity = 0 and g.value <> 0
    union all
    select g.item, format('its layers hold %s worth %s, its valuation says %s worth %s', l.quantity, l.value,
        g.quantity, g.value)
    from given g cross join lateral (
        select coalesce(sum((e.said ->> 'quantity')::numeric), 0) as quantity,
            coalesce(sum((e.said ->> 'value')::numeric), 0) as value
        from jsonb_array_elements(g.layers) e (said)
    ) l
    where case when g.method = 'fifo' and g.quantity > 0 then (l.quantity, l.value) <> (g.quantity, g.value)
        else l.quantity <> 0 or l.value <> 0 end
$$;

-- Read a document and what it leads to, and why it cannot be read; null: it can.
create or replace function ledger.read_bundle(
    in document bytea, in movement bytea, in vouchers bytea[], in valuations bytea[],
    out b ledger.bundle, out problem text
) language plpgsql stable as $$
declare
    said jsonb;
    parts jsonb[];
    in_movement text;
    in_vouchers text;
    in_valuations text;
begin
    select r.said, r.problem into said, problem from ledger.read_document(document) r;
    b.document := said;
    if problem is not null then
        return;
    end if;
    if movement is not null then
        select r.said, 'its movement: ' || r.problem into said, in_movement from ledger.read_movement(movement) r;
        b.movement := said;
    end if;
    select array_agg(r.said order by g.place),
        string_agg(format('voucher %s: %s', g.place, r.problem), '; ' order by g.place)
            filter (where r.problem is not null)
    into parts, in_vouchers
    from unnest(vouchers) with ordinality as g (payload, place), lateral ledger.read_voucher(g.payload) r;
    b.vouchers := parts;
    select array_agg(r.said order by g.place),
        string_agg(format('valuation %s: %s', g.place, r.problem), '; ' order by g.place)
            filter (where r.problem is not null)
    into parts, in_valuations
    from unnest(valuations) with ordinality as g (payload, place), lateral ledger.read_valuation(g.payload) r;
    b.valuations := parts;
    problem := nullif(concat_ws('; ', in_movement, in_vouchers, in_valuations), '');
end
$$;

-- Judge a document that was read and is not there yet.
create or replace function ledger.judge_bundle(
    in of_site text, in at_us bigint, in b ledger.bundle, out problem text, out short ledger.shortage[]
) language plpgsql stable as $$
begin
    select string_agg(format('id %s stands for other content', i.id), '; ' order by i.place) into problem
    from (
        select g.id, min(g.place) as place, count(*) as times
        from (
            select array[b.document ->> 'id'] || array_remove(array[b.movement ->> 'id'], null)
                || array(select v.said ->> 'id' from unnest(b.vouchers) v (said)) as ids
        ) a, unnest(a.ids) with ordinality as g (id, place)
        group by g.id
    ) i
    where i.times > 1 or exists (select from ledger.entries e where e.site = of_site and e.id = i.id);
    if problem is null then
        select string_agg(distinct case when m.place > 0 then format('line %s: %s', m.place, m.problem)
            else m.problem end, '; ') into problem
        from ledger.mistakes_in_document(of_site, at_us, b) m;
    end if;
    if problem is null and b.movement is not null then
        select j.problem, j.short into problem, short
        from ledger.judge_movement(of_site, at_us, b.movement, 'posting') j;
    end if;
    if problem is null then
        select string_agg(m.problem, '; ' order by m.place, m.problem) into problem
        from ledger.mistakes_in_vouchers(of_site, b) m;
    end if;
    if problem is null then
        select string_agg(format('item %s: %s', m.item, m.problem), '; ' order by m.item collate "C", m.problem)
        into problem from ledger.mistakes_in_values(of_site, b) m;
    end if;
end
$$;

-- Enter a document that is right, with all that it leads to. Gives its entry, and the entry of its valuations.
create or replace function ledger.enter_bundle(
    in of_site text, in at_us bigint, in document bytea, in movement bytea, in vouchers bytea[], in b ledger.bundle,
    in short ledger.shortage[], out seq bigint, out last_seq bigint
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    happened constant bigint := (b.document ->> 'happened_us')::bigint;
    count constant integer := coalesce(cardinality(vouchers), 0);
    recorded bigint;
begin
    select a.last_seq into seq from ledger.append_any(
        of_site, at_us, array[b.document ->> 'id'], array['document'], array[happened], array[null::text],
        array[null::text], array[document], array[null::bigint], array[0::bigint]
    ) a;
    last_seq := seq;
    select c.recorded_us into recorded from ledger.chains c where c.site = of_site;
    insert into ledger.documents (
        site, seq, id, kind, party, refers, warehouse, to_warehouse, person, happened_us, due_us, recorded_us
    ) values (
        of_site, enter_bundle.seq, b.document ->> 'id', b.document ->> 'kind', b.document ->> 'party',
        b.document ->> 'refers', b.document ->> 'warehouse', b.document ->> 'to_warehouse', b.document ->> 'person',
        happened, (b.document ->> 'due_us')::bigint, recorded
    );
    insert into ledger.document_lines (
        site, seq, line, item, quantity, net_base, location, to_location, batch, owner, order_line, reason
    )
    select of_site, enter_bundle.seq, l.place, l.said ->> 'item', (l.said ->> 'quantity')::numeric,
        nullif(l.said ->> 'net_base', '')::numeric, l.said ->> 'location', l.said ->> 'to_location',
        l.said ->> 'batch', l.said ->> 'owner', (l.said ->> 'order_line')::integer, l.said ->> 'reason'
    from jsonb_array_elements(b.document -> 'lines') with ordinality as l (said, place);
    insert into ledger.document_components (site, seq, place, line, item, quantity, batch)
    select of_site, enter_bundle.seq, c.place, (c.said ->> 'line')::integer, c.said ->> 'item',
        (c.said ->> 'quantity')::numeric, c.said ->> 'batch'
    from jsonb_array_elements(b.document -> 'components') with ordinality as c (said, place);
    if movement is not null then
        last_seq := ledger.enter_movement(of_site, at_us, movement, b.movement, short);
    end if;
    if count > 0 then
        select a.last_seq into last_seq from ledger.append_any(
            of_site, at_us, array(select v.said ->> 'id' from unnest(b.vouchers) with ordinality as v (said, place)
                order by v.place),
            array_fill('voucher'::text, array[count]), array_fill(happened, array[count]),
            array_fill(null::text, array[count]), array_fill(null::text, array[count]), vouchers,
            array_fill(null::bigint, array[count]), array_fill(0::bigint, array[count])
        ) a;
    else
        -- Behind a movement there may be a discrepancy.
        select c.seq into last_seq from ledger.chains c where c.site = of_site;
    end if;
    insert into ledger.vouchers (
        site, seq, id, document, movement, rule, occasion, happened_us, recorded_us, currency, reverses, is_proposal
    )
    select of_site, last_seq - count + v.place, v.said ->> 'id', v.said ->> 'document', v.said ->> 'movement',
        v.said ->> 'rule', v.said ->> 'occasion', happened, recorded, v.said ->> 'currency', v.said ->> 'reverses',
        (v.said ->> 'is_proposal')::boolean
    from unnest(b.vouchers) with ordinality as v (said, place);
    insert into ledger.voucher_lines (
        site, seq, line, account, debit, credit, item, quantity, tax, currency, currency_amount, party, document_line
    )
    select of_site, last_seq - count + l.voucher, l.line, l.account, l.debit, l.credit, l.item, l.quantity, l.tax,
        l.currency, l.currency_amount, l.party, l.document_line
    from ledger.voucher_lines_of(b) l;
    insert into ledger.valuations (site, item, seq, method, quantity, value, price, layers, recorded_us)
    select of_site, v.said ->> 'item', last_seq, v.said ->> 'method', (v.said ->> 'quantity')::numeric,
        (v.said ->> 'value')::numeric, (v.said ->> 'price')::numeric, v.said -> 'layers', recorded
    from unnest(b.valuations) v (said);
end
$$;

-- Judge one document, and enter it where it is right. `undone` is what documents of the same call are about that became
-- nothing, and grows where this one becomes nothing; `bases` grows by what it leads to.
create or replace function ledger.post_document(
    in of_site text, in at_us bigint, in began bigint, in document bytea, in movement bytea, in vouchers bytea[],
    in valuations bytea[], inout bases jsonb, inout undone text[], out outcome text, out seq bigint, out problem text
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    was_read record;
    b ledger.bundle;
    known record;
    short ledger.shortage[];
    last_seq bigint;
begin
    outcome := 'refused';
    -- An item's valuation may hold a thousand layers: it is read where nothing else decides.
    select r.* into was_read from ledger.read_bundle(document, movement, vouchers, '{}') r;
    b := was_read.b;
    problem := was_read.problem;
    if b.document ->> 'id' is not null then
        select e.kind, e.payload, e.seq into known from ledger.entries e
        where e.site = of_site and e.id = b.document ->> 'id';
        if known.kind = 'document' and known.payload = document then
            outcome := 'known';
            seq := known.seq;
            problem := null;
        elsif problem is null and known.seq is null and undone && ledger.subjects_of(b) then
            outcome := 'skipped';
        elsif problem is null and known.seq is null and ledger.is_stale(of_site, b, bases, began) then
            outcome := 'stale';
        end if;
    end if;
    if outcome = 'refused' and b.document ->> 'id' is not null then
        select r.* into was_read from ledger.read_bundle(document, movement, vouchers, valuations) r;
        b := was_read.b;
        problem := was_read.problem;
        if problem is null and known.seq is null and undone && ledger.subjects_of(b) then
            outcome := 'skipped';
        elsif problem is null and known.seq is null and ledger.is_stale(of_site, b, bases, began) then
            outcome := 'stale';
        elsif problem is null then
            select j.problem, j.short into problem, short from ledger.judge_bundle(of_site, at_us, b) j;
            if problem is null then
                outcome := 'entered';
                select e.seq, e.last_seq into seq, last_seq
                from ledger.enter_bundle(of_site, at_us, document, movement, vouchers, b, short) e;
                bases := bases || coalesce(
                    (select jsonb_object_agg(v.said ->> 'item', last_seq) from unnest(b.valuations) v (said)), '{}'
                );
            end if;
        end if;
    end if;
    if outcome <> 'entered' then
        undone := undone || ledger.subjects_of(b);
    end if;
end
$$;

-- Post one document; what the checks do not foresee refuses it as well.
create or replace function ledger.post_document_alone(
    in of_site text, in at_us bigint, in began bigint, in document bytea, in movement bytea, in vouchers bytea[],
    in valuations bytea[], inout bases jsonb, inout undone text[], out outcome text, out seq bigint, out problem text
) language plpgsql security definer set search_path = ledger, pg_temp as $$
begin
    begin
        select p.bases, p.undone, p.outcome, p.seq, p.problem into bases, undone, outcome, seq, problem
        from ledger.post_document(of_site, at_us, began, document, movement, vouchers, valuations, bases, undone) p;
    exception when others then
        if ledger.is_world_down(sqlstate) then
            raise;
        end if;
        outcome := 'refused';
        seq := null;
        problem := sqlerrm;
        undone := undone || ledger.subjects_of((ledger.read_bundle(document, movement, vouchers, valuations)).b);
    end;
    if outcome = 'refused' then
        problem := ledger.shortened(problem);
        perform ledger.refuse_movement(of_site, at_us, coalesce(document, ''), problem);
    end if;
end
$$;

-- Post documents in order, each with its movement (null: it moves nothing), its vouchers and its valuations (each with
-- the place of its document, from 1, ascending), whole or not at all. `bases` holds for each item the entry of the
-- valuation that the vouchers were made from (0: none), and may hold under the empty name the newest document that was
-- looked at. Gives for each place what became of the document:
--   entered   with its entry
--   known     the same document is there, with its entry
--   refused   and why; a reject entry holds the reasons and the document
--   stale     what it was prepared from is the newest no more: prepare it again
--   skipped   it has something in common with one before it in the call that became nothing: prepare it again
-- Where many come they are entered as sets, as in ledger.post.
create or replace function ledger.post_documents(
    of_site text, at_us bigint, documents bytea[], movements bytea[], vouchers bytea[], voucher_places integer[],
    valuations bytea[], valuation_places integer[], bases jsonb,
    out place integer, out outcome text, out seq bigint, out problem text
) returns setof record language plpgsql security definer set search_path = ledger, pg_temp
set enable_seqscan = off set jit = off as $$
declare
    few constant integer := 8;
    chain ledger.chains := ledger.lock_chain(of_site);
    total constant integer := coalesce(cardinality(documents), 0);
    done integer := 0;
    width integer := total;
    undone text[] := '{}';
    seqs bigint[];
    s record;
begin
    if (coalesce(cardinality(movements), 0), coalesce(cardinality(vouchers), 0), coalesce(cardinality(valuations), 0))
        <> (total, coalesce(cardinality(voucher_places), 0), coalesce(cardinality(valuation_places), 0))
        or exists (select from unnest(voucher_places || valuation_places) p where (p between 1 and total) is not true)
    then
        raise exception 'each document has a movement or null, each voucher and valuation its document''s place'
            using errcode = 'invalid_parameter_value';
    end if;
    bases := coalesce(bases, '{}');
    while done < total loop
        width := least(width, total - done);
        seqs := null;
        if width > 1 then
            select p.bases, p.seqs into s from ledger.post_document_slice(
                of_site, at_us, chain.seq, documents, movements, vouchers, voucher_places, valuations,
                valuation_places, done, width, undone, bases
            ) p;
            seqs := s.seqs;
        end if;
        if seqs is not null then
            bases := s.bases;
            return query select done + g.n::integer, 'entered', g.seq, null::text
            from unnest(seqs) with ordinality as g (seq, n);
            done := done + width;
            width := 2 * width;
        elsif width > few then
            width := width / 2;
        else
            for turn in done + 1 .. done + width loop
                place := turn;
                select p.bases, p.undone, p.outcome, p.seq, p.problem into bases, undone, outcome, seq, problem
                from ledger.post_document_alone(
                    of_site, at_us, chain.seq, documents[turn], movements[turn],
                    array(select v.payload from unnest(vouchers, voucher_places) with ordinality
                        as v (payload, document, n) where v.document = turn order by v.n),
                    array(select v.payload from unnest(valuations, valuation_places) with ordinality
                        as v (payload, document, n) where v.document = turn order by v.n),
                    bases, undone
                ) p;
                return next;
            end loop;
            done := done + width;
            width := 2 * few;
        end if;
    end loop;
end
$$;

revoke all on function
    ledger.is_stale(text, ledger.bundle, jsonb, bigint),
    ledger.mistakes_in_document(text, bigint, ledger.bundle), ledger.mistakes_in_vouchers(text, ledger.bundle),
    ledger.mistakes_in_values(text, ledger.bundle), ledger.read_bundle(bytea, bytea, bytea[], bytea[]),
    ledger.judge_bundle(text, bigint, ledger.bundle),
    ledger.enter_bundle(text, bigint, bytea, bytea, bytea[], ledger.bundle, ledger.shortage[]),
    ledger.post_document(text, bigint, bigint, bytea, bytea, bytea[], bytea[], jsonb, text[]),
    ledger.post_document_alone(text, bigint, bigint, bytea, bytea, bytea[], bytea[], jsonb, text[]),
    ledger.post_documents(text, bigint, bytea[], bytea[], bytea[], integer[], bytea[], integer[], jsonb)
    from public;
grant execute on function
    ledger.post_documents(text, bigint, bytea[], bytea[], bytea[], integer[], bytea[], integer[], jsonb)
    to ledger_appender;
