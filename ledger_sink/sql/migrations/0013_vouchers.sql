-- Documents, vouchers and what stock is worth: the tables. See contracts/documents.py, contracts/vouchers.py and
-- contracts/accounting.py for the words. Rows are made from entries, in the transaction that appends them.

-- What the books know beside items and locations; the newest row of what and key counts.
create table if not exists ledger.book_data (
    site text not null,
    -- settings, chart, rules, tax, costing, units, bill_of_materials, planning, batch, item_card, party
    what text not null,
    key text not null,
    -- The entry that says so.
    seq bigint not null,
    body jsonb not null,
    primary key (site, what, key, seq)
);
create or replace view ledger.book_data_now as
    select distinct on (site, what, key) * from ledger.book_data order by site, what, key, seq desc;

-- Documents that were posted, and orders.
create table if not exists ledger.documents (
    site text not null,
    -- The document's entry.
    seq bigint not null,
    id text not null,
    kind text not null,
    party text not null,
    refers text not null,
    warehouse text not null,
    to_warehouse text not null,
    person text not null,
    happened_us bigint not null,
    -- When it is expected; 0: not said.
    due_us bigint not null,
    recorded_us bigint not null,
    primary key (site, seq),
    unique (site, id)
);
create index if not exists documents_that_refer on ledger.documents (site, refers) where refers <> '';
create index if not exists documents_of_kind on ledger.documents (site, kind, seq);

-- Their lines.
create table if not exists ledger.document_lines (
    site text not null,
    seq bigint not null,
    line integer not null,
    item text not null,
    -- In base units; signed on adjustments.
    quantity numeric not null,
    -- Net in the base currency; null: it has no price.
    net_base numeric,
    location text not null,
    to_location text not null,
    batch text not null,
    owner text not null,
    -- The line of the document that it follows; 0: of none.
    order_line integer not null,
    reason text not null,
    primary key (site, seq, line)
);
create index if not exists document_lines_of_item on ledger.document_lines (site, item, seq);

-- What production receipts used: the way from a batch back to what is in it.
create table if not exists ledger.document_components (
    site text not null,
    seq bigint not null,
    -- From 1, in the order of the payload.
    place integer not null,
    -- The line of what was made.
    line integer not null,
    item text not null,
    quantity numeric not null,
    batch text not null,
    primary key (site, seq, place)
);
create index if not exists document_components_of_batch on ledger.document_components (site, item, batch, seq);

-- Journal vouchers.
create table if not exists ledger.vouchers (
    site text not null,
    -- The voucher's entry.
    seq bigint not null,
    id text not null,
    document text not null,
    movement text not null,
    rule text not null,
    -- posting       a document was posted
    -- revaluation   what stock is worth changed without its quantity
    -- reversal      a document was taken back
    occasion text not null check (occasion in ('posting', 'revaluation', 'reversal')),
    happened_us bigint not null,
    recorded_us bigint not null,
    currency text not null,
    reverses text not null,
    -- The site's ERP leads, and this is what it is asked to book.
    is_proposal boolean not null,
    primary key (site, seq),
    unique (site, id)
);
-- A voucher is taken back once.
create unique index if not exists vouchers_reversed on ledger.vouchers (site, reverses) where reverses <> '';
create index if not exists vouchers_of_document on ledger.vouchers (site, document);

-- Their lines. A debit or a credit, never both; a negative one takes back on its own side.
create table if not exists ledger.voucher_lines (
    site text not null,
    seq bigint not null,
    line integer not null,
    account text not null,
    debit numeric not null,
    credit numeric not null,
    item text not null,
    -- On a stock account: by how many base units the line changes valued stock.
    quantity numeric not null,
    tax text not null,
    currency text not null,
    -- Debit less credit in that currency; null: the base currency.
    currency_amount numeric,
    party text not null,
    document_line integer not null,
    primary key (site, seq, line),
    -- What costs nothing has a line too: its quantity counts.
    check (case when quantity = 0 then (debit = 0) <> (credit = 0) else debit = 0 or credit = 0 end)
);
create index if not exists voucher_lines_of_account on ledger.voucher_lines (site, account, seq)
    include (debit, credit, item);

-- What an item's valued stock is worth behind a document; the newest row of an item counts.
create table if not exists ledger.valuations (
    site text not null,
    item text not null,
    -- The entry of the document's last voucher.
    seq bigint not null,
    -- moving_average, fifo
    method text not null check (method in ('moving_average', 'fifo')),
    quantity numeric not null,
    value numeric not null,
    -- The last known unit cost.
    price numeric not null,
    -- FIFO: document, quantity and value of each layer, oldest first.
    layers jsonb not null,
    recorded_us bigint not null,
    primary key (site, item, seq)
);

-- Debits equal credits by constraint: whoever inserts voucher lines inserts whole vouchers that balance, or nothing.
create or replace function ledger.check_voucher_lines() returns trigger language plpgsql
set plan_cache_mode = force_custom_plan as $$
declare
    of_site text;
    wrong record;
begin
    select n.seq, sum(n.debit - n.credit) as amount into wrong
    from new_lines n group by n.site, n.seq having sum(n.debit - n.credit) <> 0 limit 1;
    if found then
        raise exception 'voucher % does not balance: debits less credits are %', wrong.seq, wrong.amount
            using errcode = 'check_violation';
    end if;
    for of_site in select distinct n.site from new_lines n loop
        select n.seq into wrong
        from (select g.seq, count(*) as lines from new_lines g where g.site = of_site group by g.seq) n
        where n.lines < (select count(*) from ledger.voucher_lines l where l.site = of_site and l.seq = n.seq) limit 1;
        if found then
            raise exception 'voucher % has its lines already', wrong.seq using errcode = 'check_violation';
        end if;
    end loop;
    return null;
end
$$;
create or replace trigger double_entry after insert on ledger.voucher_lines
    referencing new table as new_lines for each statement execute function ledger.check_voucher_lines();

do $$
declare
    name text;
begin
    foreach name in array array[
        'book_data', 'documents', 'document_lines', 'document_components', 'vouchers', 'voucher_lines', 'valuations'
    ] loop
        execute format(
            'create or replace trigger insert_only before update or delete or truncate on ledger.%I '
            'for each statement execute function ledger.refuse_change()', name
        );
    end loop;
end
$$;

-- What the books know of something, now; null: nothing.
create or replace function ledger.data_now(of_site text, of_what text, of_key text) returns jsonb
    language sql stable as $$
    select d.body from ledger.book_data d where (d.site, d.what, d.key) = (of_site, of_what, of_key)
    order by d.seq desc limit 1
$$;

-- How the site keeps its books: what was put, else what contracts.accounting.BookSettings says.
create or replace function ledger.settings_now(of_site text) returns jsonb language sql stable as $$
    select '{"base_currency": "CNY", "money_decimals": 2, "mode": "standalone", "chart": "china"}'::jsonb
        || coalesce(ledger.data_now(of_site, 'settings', ''), '{}')
$$;

-- The accounts of the chart that counts, and whether each holds the value of stock.
create or replace function ledger.accounts_of(chart jsonb) returns table (account text, is_stock boolean)
    language sql immutable as $$
    select a.said ->> 'code', coalesce((a.said ->> 'is_stock')::boolean, false)
    from jsonb_array_elements(chart -> 'accounts') a (said)
$$;

-- By how much a movement changes the valued quantity of each item that is valued. Valued is what is ours in zones, bins
-- and in transit.
create or replace function ledger.valued_changes(of_site text, movement jsonb)
    returns table (item text, quantity numeric) language sql stable as $$
    select l.item, sum(l.quantity::numeric)
    from ledger.lines_of(movement) l
    join lateral ledger.book_place_now(of_site, l.location) p on p.kind in ('zone', 'bin', 'in_transit')
    where l.owner = '' and ledger.data_now(of_site, 'costing', l.item) is not null
    group by l.item
$$;

-- The newest valuation of an item.
create or replace function ledger.valuation_now(of_site text, of_item text) returns setof ledger.valuations
    language sql stable as $$
    select v.* from ledger.valuations v where v.site = of_site and v.item = of_item order by v.seq desc limit 1
$$;

-- The valued quantity of an item by the present book.
create or replace function ledger.valued_quantity(of_site text, of_item text) returns numeric
    language sql stable as $$
    select coalesce(sum(b.quantity), 0) from ledger.balances b
    join lateral ledger.book_place_now(of_site, b.location) p on p.kind in ('zone', 'bin', 'in_transit')
    where b.site = of_site and b.item = of_item and b.owner = ''
$$;

-- An account that vouchers name and that held the value of stock by the chart so far, and would not any more, or the
-- other way; null: none. A chart that never counted changes nothing.
create or replace function ledger.mistake_in_accounts(of_site text, of_chart text, after jsonb) returns text
    language sql stable as $$
    select format('account %s has postings and %s the value of stock: that stays so', b.account,
        case when b.is_stock then 'holds' else 'does not hold' end)
    from ledger.accounts_of(ledger.data_now(of_site, 'chart', of_chart)) b
    left join ledger.accounts_of(after) a on a.account = b.account
    where b.is_stock <> coalesce(a.is_stock, false)
        and exists (select from ledger.voucher_lines l where l.site = of_site and l.account = b.account)
    order by b.account limit 1
$$;

-- What new data would make of stock and vouchers that are there already; null: nothing wrong.
create or replace function ledger.mistake_in_data(of_site text, said jsonb) returns text language sql stable as $$
    select case said ->> 'what'
        when 'costing' then (
            select case
                when c.before is null and ledger.valued_quantity(of_site, said ->> 'key') <> 0
                    then format('item %s has stock that was never valued: take it out, then bring it in with its price',
                        said ->> 'key')
                when v.quantity <> 0 and (c.before -> 'method', c.before -> 'stock_class')
                    <> (said -> 'body' -> 'method', said -> 'body' -> 'stock_class')
                    then format('item %s has stock valued as %s in class %s: it stays so while there is stock',
                        said ->> 'key', c.before ->> 'method', c.before ->> 'stock_class')
            end
            from ledger.data_now(of_site, 'costing', said ->> 'key') c (before)
            left join lateral ledger.valuation_now(of_site, said ->> 'key') v on true
        )
        when 'settings' then (
            select case
                when exists (select from ledger.vouchers v where v.site = of_site)
                    and (s.before ->> 'base_currency' <> said -> 'body' ->> 'base_currency'
                        or (s.before ->> 'money_decimals')::integer > (said -> 'body' ->> 'money_decimals')::integer)
                    then 'there are vouchers: the base currency stays, and amounts never get fewer decimals'
                when s.before ->> 'mode' <> 'standalone' and said -> 'body' ->> 'mode' = 'standalone' then (
                    select format('item %s: the book has %s, its valuation %s: they must agree before the book counts',
                        c.key, ledger.valued_quantity(of_site, c.key), coalesce(v.quantity, 0))
                    from ledger.book_data_now c left join lateral ledger.valuation_now(of_site, c.key) v on true
                    where c.site = of_site and c.what = 'costing'
                        and ledger.valued_quantity(of_site, c.key) <> coalesce(v.quantity, 0)
                    order by c.key limit 1
                )
                else ledger.mistake_in_accounts(of_site, s.before ->> 'chart',
                    ledger.data_now(of_site, 'chart', said -> 'body' ->> 'chart'))
            end
            from ledger.settings_now(of_site) s (before)
        )
        when 'chart' then ledger.mistake_in_accounts(of_site, said ->> 'key', said -> 'body')
    end
$$;

-- What is wrong with the form of a JSON object, given each field's form; null: nothing.
--   text     up to 200 bytes
--   name     1 to 200 bytes
--   exact    an exact decimal as text
--   amount   an exact decimal, or empty
--   whole    a whole number from 0 to 2^53
--   flag     true or false
--   list     a list
create or replace function ledger.mistake_in_form(raw json, form jsonb) returns text language sql immutable as $$
    select case
        when json_typeof(raw) <> 'object' then 'it is no JSON object'
        when ledger.fields_of(raw) <> array(select k from jsonb_object_keys(form) k order by k collate "C")
            then format('its fields are not %s, each once',
                (select string_agg(k, ', ' order by k collate "C") from jsonb_object_keys(form) k))
        else (
            select string_agg(format('%s is not %s', f.key, case form ->> f.key
                when 'text' then 'up to 200 bytes of text' when 'name' then '1 to 200 bytes of text'
                when 'exact' then 'an exact decimal as text' when 'amount' then 'an exact decimal as text, or empty'
                when 'whole' then 'a whole number from 0 to 2^53' when 'flag' then 'true or false'
                when 'list' then 'a list' end), '; ' order by f.key collate "C")
            from json_each(raw) f
            where not coalesce(case form ->> f.key
                when 'text' then ledger.is_short_text(f.value)
                when 'name' then ledger.is_short_text(f.value) and f.value #>> '{}' <> ''
                when 'exact' then json_typeof(f.value) = 'string'
                    and f.value #>> '{}' ~ '^-?[0-9]{1,15}(\.[0-9]{1,6})?$'
                when 'amount' then json_typeof(f.value) = 'string'
                    and f.value #>> '{}' ~ '^(-?[0-9]{1,15}(\.[0-9]{1,6})?)?$'
                when 'whole' then ledger.is_whole(f.value)
                when 'flag' then json_typeof(f.value) = 'boolean'
                when 'list' then json_typeof(f.value) = 'array'
            end, false)
        )
    end
$$;

-- What a payload says, or why it is no record of this type: its form, and the form of what its lists hold, of which
-- there are up to 1000 each. A word names what a list holds.
create or replace function ledger.read_record(
    in payload bytea, in of_type text, in form jsonb, in lists jsonb, out said jsonb, out problem text
) language plpgsql stable as $$
declare
    raw json;
    list record;
begin
    select r.raw, r.said, r.problem into raw, said, problem from ledger.read_json(payload) r;
    if problem is null then
        problem := case
            when json_typeof(raw) <> 'object' then 'it is no JSON object'
            when raw ->> 'type' is distinct from of_type then format('its type is not %s', of_type)
            when raw ->> 'schema' is distinct from '1' or json_typeof(raw -> 'schema') <> 'number'
                then 'its schema is not 1'
            else ledger.mistake_in_form(raw, form || '{"schema": "whole", "type": "name"}')
        end;
    end if;
    for list in select l.key, l.value ->> 'word' as word, l.value -> 'form' as form from jsonb_each(lists) l loop
        if problem is null then
            select case when json_array_length(raw -> list.key) > 1000 then format('%s are more than 1000', list.key)
                else string_agg(format('%s %s: %s', list.word, m.place, m.problem), '; ' order by m.place) end
            into problem
            from (
                select e.place, ledger.mistake_in_form(e.raw, list.form) as problem
                from json_array_elements(raw -> list.key) with ordinality as e (raw, place)
            ) m where m.problem is not null or json_array_length(raw -> list.key) > 1000;
        end if;
    end loop;
end
$$;

-- See contracts/documents.py.
create or replace function ledger.read_document(payload bytea) returns table (said jsonb, problem text)
    language sql stable as $$
    select r.said, r.problem from ledger.read_record(payload, 'document', '{
        "id": "name", "kind": "name", "happened_us": "whole", "due_us": "whole", "party": "text", "refers": "text",
        "warehouse": "text", "to_warehouse": "text", "currency": "text", "rate": "exact", "person": "text",
        "approved_by": "text", "case": "text", "reason": "text", "is_physical": "flag", "lines": "list",
        "components": "list"
    }', '{
        "lines": {"word": "line", "form": {
            "line": "whole", "item": "name", "quantity": "exact", "unit": "text", "unit_quantity": "exact",
            "price": "amount", "net": "amount", "tax": "text", "tax_amount": "amount", "net_base": "amount",
            "tax_base": "amount", "location": "text", "to_location": "text", "batch": "text", "disposition": "text",
            "to_disposition": "text", "owner": "text", "container": "text", "order_line": "whole", "reason": "text"
        }},
        "components": {"word": "component", "form": {
            "line": "whole", "item": "name", "quantity": "exact", "batch": "text"
        }}
    }') r
$$;

-- See contracts/vouchers.py.
create or replace function ledger.read_voucher(payload bytea) returns table (said jsonb, problem text)
    language sql stable as $$
    select r.said, r.problem from ledger.read_record(payload, 'voucher', '{
        "id": "name", "document": "name", "movement": "text", "rule": "text", "occasion": "name",
        "happened_us": "whole", "currency": "name", "lines": "list", "reverses": "text", "is_proposal": "flag"
    }', '{
        "lines": {"word": "line", "form": {
            "account": "name", "debit": "exact", "credit": "exact", "item": "text", "quantity": "exact",
            "price": "amount", "tax": "text", "currency": "text", "currency_amount": "amount", "party": "text",
            "document_line": "whole"
        }}
    }') r
$$;
create or replace function ledger.read_valuation(payload bytea) returns table (said jsonb, problem text)
    language sql stable as $$
    select r.said, r.problem from ledger.read_record(payload, 'valuation', '{
        "item": "name", "method": "name", "quantity": "exact", "value": "exact", "price": "exact", "layers": "list"
    }', '{
        "layers": {"word": "layer", "form": {"document": "name", "quantity": "exact", "value": "exact"}}
    }') r
$$;

-- See contracts/documents.py.
create or replace function ledger.is_document_kind(kind text) returns boolean language sql immutable parallel safe as $$
    select kind in (
        'opening', 'goods_receipt', 'purchase_invoice', 'sales_shipment', 'sales_acceptance', 'goods_issue',
        'production_receipt', 'transfer_out', 'transfer_in', 'relocation', 'state_change', 'customer_return',
        'supplier_return', 'scrap', 'adjustment', 'unpacking', 'revaluation', 'reversal', 'purchase_order',
        'shipping_notice', 'production_order', 'sales_order', 'transfer_order', 'order_closed'
    )
$$;

do $$
begin
    -- A document with all that it leads to, as it was read.
    create type ledger.bundle as (
        document jsonb,
        -- Null: it moves nothing.
        movement jsonb,
        vouchers jsonb[],
        valuations jsonb[]
    );
exception when duplicate_object then
    null;
end
$$;

-- The voucher lines of a bundle.
create or replace function ledger.voucher_lines_of(b ledger.bundle) returns table (
    voucher integer, line integer, account text, debit numeric, credit numeric, item text, quantity numeric, tax text,
    currency text, currency_amount numeric, party text, document_line integer
) language sql immutable as $$
    select v.place::integer, l.place::integer, l.said ->> 'account', (l.said ->> 'debit')::numeric,
        (l.said ->> 'credit')::numeric, l.said ->> 'item', (l.said ->> 'quantity')::numeric, l.said ->> 'tax',
        l.said ->> 'currency', nullif(l.said ->> 'currency_amount', '')::numeric, l.said ->> 'party',
        (l.said ->> 'document_line')::integer
    from unnest(b.vouchers) with ordinality as v (said, place),
        jsonb_array_elements(v.said -> 'lines') with ordinality as l (said, place)
$$;

-- What a bundle is about: two of one call with something in common depend on each other.
create or replace function ledger.subjects_of(b ledger.bundle) returns text[] language sql immutable as $$
    select array_agg(distinct s.subject)
    from (
        select 'item ' || (l.said ->> 'item') as subject
        from (
            values (b.document -> 'lines'), (b.document -> 'components'), (b.movement -> 'postings')
        ) g (list), jsonb_array_elements(case when jsonb_typeof(g.list) = 'array' then g.list end) l (said)
        union all
        select 'item ' || (l.said ->> 'item')
        from unnest(b.vouchers) v (said),
            jsonb_array_elements(
                case when jsonb_typeof(v.said -> 'lines') = 'array' then v.said -> 'lines' end
            ) l (said)
        where l.said ->> 'item' <> ''
        union all
        select 'item ' || (v.said ->> 'item') from unnest(b.valuations) v (said)
        union all
        select 'document ' || (b.document ->> 'id')
        union all
        select 'document ' || (b.document ->> 'refers') where b.document ->> 'refers' <> ''
    ) s
$$;

revoke all on function
    ledger.voucher_lines_of(ledger.bundle), ledger.subjects_of(ledger.bundle),
    ledger.mistake_in_form(json, jsonb), ledger.read_record(bytea, text, jsonb, jsonb), ledger.read_document(bytea),
    ledger.read_voucher(bytea), ledger.read_valuation(bytea), ledger.is_document_kind(text),
    ledger.check_voucher_lines(), ledger.data_now(text, text, text), ledger.settings_now(text),
    ledger.accounts_of(jsonb),
    ledger.valued_changes(text, jsonb), ledger.valuation_now(text, text), ledger.valued_quantity(text, text),
    ledger.mistake_in_data(text, jsonb), ledger.mistake_in_accounts(text, text, jsonb)
    from public;
grant execute on function
    ledger.data_now(text, text, text), ledger.settings_now(text), ledger.valuation_now(text, text),
    ledger.valued_quantity(text, text), ledger.book_place_now(text, text)
    to ledger_reader, ledger_appender, ledger_sink;
grant select on
    ledger.book_data, ledger.book_data_now, ledger.documents, ledger.document_lines, ledger.document_components,
    ledger.vouchers, ledger.voucher_lines, ledger.valuations
    to ledger_reader, ledger_appender, ledger_sink;
