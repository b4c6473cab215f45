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
    check ((debit = 0) <> (credit = 0))
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

do $$
declare
    name text;
begin
    foreach name in array array[
        'book_data', 'documents', 'document_lines', 'vouchers', 'voucher_lines', 'valuations'
    ] loop
        execute format(
            'create or replace trigger insert_only before update or delete or truncate on ledger.%I '
            'for each statement execute function ledger.refuse_change()', name
        );
    end loop;
end
$$;

grant select on
    ledger.book_data, ledger.book_data_now, ledger.documents, ledger.document_lines, ledger.vouchers,
    ledger.voucher_lines, ledger.valuations
    to ledger_reader, ledger_appender, ledger_sink;
