-- Analysis: the figures that boards, console and command line share, from the tables of the books alone. What needs the
-- present moment takes it as an argument, because the domain's time is not the server's. docs/analysis.md has the
-- definitions. Views run with the rights of who asks, so that what hides other sites from a reader hides them here too.

-- The last entry that was recorded by an instant. Places have no gaps and recorded times never fall, so it is found by
-- halving, and an index by place answers what would else need one by time.
create or replace function ledger.seq_recorded(of_site text, at_us bigint) returns bigint
    language plpgsql stable as $$
declare
    low bigint := 0;
    high bigint := coalesce((select c.seq from ledger.chains c where c.site = of_site), 0);
    middle bigint;
begin
    while low < high loop
        middle := (low + high + 1) / 2;
        if (select e.recorded_us <= at_us from ledger.entries e where e.site = of_site and e.seq = middle) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return low;
end
$$;

-- The day of a moment in a time zone.
create or replace function ledger.day_of(at_us bigint, zone text) returns date
    language sql stable parallel safe as $$
    select (to_timestamp(at_us / 1000000.0) at time zone zone)::date
$$;

-- Up to so many decimals, never less than it was: half a piece cannot be ordered.
create or replace function ledger.round_up(amount numeric, decimals integer) returns numeric
    language sql immutable parallel safe as $$
    select round(ceil(amount * 10::numeric ^ decimals) / 10::numeric ^ decimals, decimals)
$$;

-- Where stock is: real locations, and what is on its way between warehouses.
create or replace view ledger.stock_places with (security_invoker = true) as
    select site, location, kind, warehouse from ledger.places_now where kind in ('zone', 'bin', 'in_transit');

-- How items are replenished; warehouse '' is every warehouse that has no row of its own for the item.
create or replace view ledger.planning_now with (security_invoker = true) as
    select p.site, coalesce(i.item, regexp_replace(p.key, '@[^@]*$', '')) as item,
        case when i.item is null then substring(p.key from '@([^@]*)$') else '' end as warehouse,
        coalesce((p.body ->> 'safety_stock')::numeric, 0) as safety_stock,
        (p.body ->> 'reorder_point')::numeric as reorder_point, (p.body ->> 'lot_size')::numeric as lot_size,
        coalesce((p.body ->> 'lot_min')::numeric, 0) as lot_min,
        coalesce((p.body ->> 'lead_time_days')::integer, 0) as lead_time_days,
        coalesce(p.body ->> 'supplier', '') as supplier, coalesce(p.body ->> 'from_warehouse', '') as from_warehouse,
        coalesce((p.body ->> 'slow_after_days')::integer, 90) as slow_after_days,
        coalesce((p.body ->> 'dead_after_days')::integer, 180) as dead_after_days,
        coalesce((p.body ->> 'expiry_warning_days')::integer, 30) as expiry_warning_days, p.body
    from ledger.book_data_now p left join ledger.items_now i on i.site = p.site and i.item = p.key
    where p.what = 'planning';

-- How many decimals a site's money has, where it says so; else 2.
create or replace view ledger.money_now with (security_invoker = true) as
    select site, coalesce((body ->> 'money_decimals')::integer, 2) as decimals
    from ledger.book_data_now where what = 'settings' and key = '';

-- What the valued stock of each item is worth.
create or replace view ledger.valuations_now with (security_invoker = true) as
    select v.* from ledger.items_now i cross join lateral (
        select v.* from ledger.valuations v where v.site = i.site and v.item = i.item order by v.seq desc limit 1
    ) v;

-- The stock of all warehouses, with its share of what the item is worth. Shares are cut from the running total, so the
-- shares of an item sum to its value to the cent. No value: not ours, or the item is not valued.
create or replace view ledger.stock with (security_invoker = true) as
    select h.site, h.item, h.warehouse, h.location, h.batch, h.disposition, h.reservation, h.owner, h.quantity,
        case when h.owner <> '' or v.item is null then null when v.quantity = 0 then 0
            else round(v.value * h.upto / v.quantity, coalesce(m.decimals, 2))
                - round(v.value * (h.upto - h.quantity) / v.quantity, coalesce(m.decimals, 2)) end as value
    from (
        select b.site, b.item, p.warehouse, b.location, b.batch, b.disposition, b.reservation, b.owner,
            sum(b.quantity) as quantity, sum(sum(b.quantity)) over (
                partition by b.site, b.item, b.owner order by b.location collate "C", b.batch collate "C",
                    b.disposition collate "C", b.reservation collate "C" rows unbounded preceding
            ) as upto
        from ledger.balances b join ledger.stock_places p on p.site = b.site and p.location = b.location
        where b.quantity <> 0
        group by b.site, b.item, p.warehouse, b.location, b.batch, b.disposition, b.reservation, b.owner
        having sum(b.quantity) <> 0
    ) h
    left join lateral (
        select v.item, v.quantity, v.value from ledger.valuations v where v.site = h.site and v.item = h.item
        order by v.seq desc limit 1
    ) v on true
    left join ledger.money_now m on m.site = h.site;

-- The same as it was recorded by an instant: the book, the locations and the values of then.
create or replace function ledger.stock_recorded(of_site text, at_us bigint) returns table (
    site text, item text, warehouse text, location text, batch text, disposition text, reservation text, owner text,
    quantity numeric, value numeric
) language sql stable as $$
    with until as materialized (
        select ledger.seq_recorded(of_site, at_us) as seq
    ), places as (
        select distinct on (p.location) p.location, p.kind, p.warehouse
        from ledger.book_places p, until u where p.site = of_site and p.seq <= u.seq
        order by p.location, p.seq desc
    ), held as (
        select b.item, p.warehouse, b.location, b.batch, b.disposition, b.reservation, b.owner,
            sum(k.balance) as quantity, sum(sum(k.balance)) over (
                partition by b.item, b.owner order by b.location collate "C", b.batch collate "C",
                    b.disposition collate "C", b.reservation collate "C" rows unbounded preceding
            ) as upto
        from until u cross join ledger.balances b
        join places p on p.location = b.location and p.kind in ('zone', 'bin', 'in_transit')
        cross join lateral (
            select k.balance from ledger.postings k
            where k.site = b.site and k.item = b.item and k.location = b.location and k.batch = b.batch
                and k.serial = b.serial and k.disposition = b.disposition and k.reservation = b.reservation
                and k.owner = b.owner and k.seq <= u.seq
            order by k.seq desc, k.line desc limit 1
        ) k
        where b.site = of_site and k.balance <> 0
        group by b.item, p.warehouse, b.location, b.batch, b.disposition, b.reservation, b.owner
        having sum(k.balance) <> 0
    )
    select of_site, h.item, h.warehouse, h.location, h.batch, h.disposition, h.reservation, h.owner, h.quantity,
        case when h.owner <> '' or v.item is null then null when v.quantity = 0 then 0
            else round(v.value * h.upto / v.quantity, coalesce(m.decimals, 2))
                - round(v.value * (h.upto - h.quantity) / v.quantity, coalesce(m.decimals, 2)) end
    from until u cross join held h
    -- One look into the index a row: a join would have to guess how many there are.
    left join lateral (
        select v.item, v.quantity, v.value from ledger.valuations v
        where v.site = of_site and v.item = h.item and v.seq <= u.seq order by v.seq desc limit 1
    ) v on true
    left join ledger.money_now m on m.site = of_site
$$;

-- By how much each movement changed an item's stock: in the whole house (warehouse null) and in each warehouse, for the
-- movements between two entries and some items (null: all). A movement that was taken back by what is known, and the
-- one that did it, are as if they never were. An issue is what left to be used: to customers or production; of a
-- warehouse also to other warehouses. Planned anew at each call: few items by their index, all by the range of entries.
create or replace function ledger.item_flows(
    of_site text, of_items text[], first_seq bigint, last_seq bigint, known_seq bigint
) returns table (
    seq bigint, item text, owner text, warehouse text, happened_us bigint, quantity numeric, is_issue boolean
) language plpgsql stable rows 100000 as $$
begin
    return query execute format($query$
    with taken_back as (
        select r.seq from ledger.reversals r where r.site = $1 and r.seq <= $5
        union all
        select e.seq from ledger.reversals r join ledger.entries e on e.site = r.site and e.id = r.reversed
        where r.site = $1 and r.seq <= $5
    ), changes as (
        select p.seq, p.item, p.owner, p.happened_us, c.class,
            case when c.class = 'real' then l.warehouse end as warehouse, sum(p.quantity) as quantity
        from ledger.postings p join ledger.places_now l on l.site = $1 and l.location = p.location
        cross join lateral (
            select case when l.kind in ('zone', 'bin') then 'real' when l.kind = 'in_transit' then 'transit'
                when l.kind in ('customer', 'production') then 'use' else 'else' end as class
        ) c
        where p.site = $1 %s and p.seq between $3 and $4
            and not exists (select from taken_back t where t.seq = p.seq)
        group by 1, 2, 3, 4, 5, 6 having sum(p.quantity) <> 0
    ), house as (
        select c.*, bool_or(c.class <> 'else' and c.quantity > 0) over (
            partition by c.seq, c.item, c.owner
        ) as is_kept
        from changes c
    )
    select h.seq, h.item, h.owner, h.warehouse, h.happened_us, h.quantity, h.quantity < 0 and h.is_kept
    from house h where h.class = 'real'
    union all
    select c.seq, c.item, c.owner, null, c.happened_us, sum(c.quantity) filter (where c.class in ('real', 'transit')),
        sum(c.quantity) filter (where c.class in ('real', 'transit')) < 0
            and bool_or(c.class = 'use' and c.quantity > 0)
    from changes c group by c.seq, c.item, c.owner, c.happened_us
    having sum(c.quantity) filter (where c.class in ('real', 'transit')) <> 0
    $query$, case when of_items is null then '' else 'and p.item = any ($2)' end)
    using of_site, of_items, first_seq, last_seq, known_seq;
end
$$;

-- What is left of what came in, by first in, first out: of each item, in the whole house (warehouse null) and in each
-- warehouse, as it was recorded by an instant. The newest that came in makes up what is there. Most items are explained
-- by what was recorded in the last 90 days; all of the past is read only for the others, which moved little.
create or replace function ledger.ageing_layers(of_site text, at_us bigint, of_item text default null)
    returns table (
        site text, item text, warehouse text, owner text, came_us bigint, seq bigint, days integer, quantity numeric,
        value numeric, last_issue_us bigint
    ) language sql stable as $$
    with until as materialized (
        select ledger.seq_recorded(of_site, at_us) as seq,
            ledger.seq_recorded(of_site, at_us - 90 * 86400000000) as recent
    ), book as (
        select b.item, b.owner, p.warehouse, p.kind, k.balance
        from until u cross join ledger.balances b
        join ledger.stock_places p on p.site = of_site and p.location = b.location
        cross join lateral (
            select k.balance from ledger.postings k
            where k.site = b.site and k.item = b.item and k.location = b.location and k.batch = b.batch
                and k.serial = b.serial and k.disposition = b.disposition and k.reservation = b.reservation
                and k.owner = b.owner and k.seq <= u.seq
            order by k.seq desc, k.line desc limit 1
        ) k
        where b.site = of_site and (of_item is null or b.item = of_item)
    ), held as materialized (
        select h.*, v.quantity as worth_quantity, v.value as worth
        from until u cross join (
            select b.item, b.owner, b.warehouse, sum(b.balance) as quantity
            from book b where b.kind <> 'in_transit' group by b.item, b.owner, b.warehouse having sum(b.balance) > 0
            union all
            select b.item, b.owner, null, sum(b.balance) from book b group by b.item, b.owner having sum(b.balance) > 0
        ) h left join lateral (
            select v.quantity, v.value from ledger.valuations v
            where v.site = of_site and v.item = h.item and v.seq <= u.seq and h.owner = '' order by v.seq desc limit 1
        ) v on true
    ), young as materialized (
        select f.* from until u cross join lateral ledger.item_flows(
            of_site, case when of_item is not null then array[of_item] end, u.recent + 1, u.seq, u.seq
        ) f
    ), young_or_held as (
        -- What was recorded before had happened by then, but for a minute that clocks may differ: what happened since
        -- is newer than all of it.
        select y.item, y.owner, y.warehouse, y.quantity, y.is_issue, null::numeric as held from young y
        where y.happened_us > at_us - 90 * 86400000000 + 60000000
        union all
        select h.item, h.owner, h.warehouse, null, null, h.quantity from held h
    ), rest as materialized (
        select array_agg(distinct y.item) as items from (
            select y.item from young_or_held y group by y.item, y.owner, y.warehouse
            having max(y.held) is not null and not coalesce(
                bool_or(y.is_issue) and sum(y.quantity) filter (where y.quantity > 0) >= max(y.held), false
            )
        ) y
    ), flows as (
        -- What is held stands among what came, so that one sort finds both; a join would have to guess their numbers.
        select y.*, null::numeric as held, null::numeric as worth_quantity, null::numeric as worth from young y
        union all
        select f.*, null, null, null from until u cross join rest r
        cross join lateral ledger.item_flows(of_site, r.items, 1, u.recent, u.seq) f where r.items is not null
        union all
        select null, h.item, h.owner, h.warehouse, null, 0, false, h.quantity, h.worth_quantity, h.worth from held h
    ), came as (
        select f.item, f.owner, f.warehouse, f.seq, f.happened_us, f.quantity, max(f.held) over scope as held,
            max(f.worth_quantity) over scope as worth_quantity, max(f.worth) over scope as worth,
            max(f.happened_us) filter (where f.is_issue) over scope as last_us,
            sum(f.quantity) filter (where f.quantity > 0) over (
                scope order by f.happened_us desc, f.seq desc rows unbounded preceding
            ) as upto
        from flows f window scope as (partition by f.item, f.owner, f.warehouse)
    )
    select of_site, c.item, c.warehouse, c.owner, c.happened_us, c.seq,
        ((at_us - c.happened_us) / 86400000000)::integer, least(c.upto, c.held) - (c.upto - c.quantity),
        case when c.worth_quantity = 0 then 0
            else round(c.worth * least(c.upto, c.held) / c.worth_quantity, coalesce(m.decimals, 2))
                - round(c.worth * (c.upto - c.quantity) / c.worth_quantity, coalesce(m.decimals, 2)) end,
        c.last_us
    from came c
    left join ledger.money_now m on m.site = of_site
    where c.quantity > 0 and c.upto - c.quantity < c.held
$$;

-- Ageing in bands of days, with slow and dead stock. Idle: since the last issue, or since the oldest of what is there
-- came in where that was later.
create or replace function ledger.ageing(of_site text, at_us bigint, of_item text default null)
    returns table (
        site text, item text, warehouse text, owner text, quantity numeric, value numeric,
        quantity_30 numeric, quantity_60 numeric, quantity_90 numeric, quantity_180 numeric, quantity_365 numeric,
        quantity_older numeric, value_30 numeric, value_60 numeric, value_90 numeric, value_180 numeric,
        value_365 numeric, value_older numeric, oldest_us bigint, last_issue_us bigint, idle_days integer, alert text
    ) language sql stable as $$
    select of_site, a.item, a.warehouse, a.owner, a.quantity, a.value, a.q30, a.q60, a.q90, a.q180, a.q365, a.older,
        a.v30, a.v60, a.v90, a.v180, a.v365, a.v_older, a.oldest_us, a.last_issue_us, a.idle_days,
        case when a.idle_days >= coalesce(w.dead_after_days, i.dead_after_days, 180) then 'dead'
            when a.idle_days >= coalesce(w.slow_after_days, i.slow_after_days, 90) then 'slow' else '' end
    from (
        select l.item, l.warehouse, l.owner, sum(l.quantity) as quantity, sum(l.value) as value,
            coalesce(sum(l.quantity) filter (where l.days <= 30), 0) as q30,
            coalesce(sum(l.quantity) filter (where l.days between 31 and 60), 0) as q60,
            coalesce(sum(l.quantity) filter (where l.days between 61 and 90), 0) as q90,
            coalesce(sum(l.quantity) filter (where l.days between 91 and 180), 0) as q180,
            coalesce(sum(l.quantity) filter (where l.days between 181 and 365), 0) as q365,
            coalesce(sum(l.quantity) filter (where l.days > 365), 0) as older,
            sum(l.value) filter (where l.days <= 30) as v30,
            sum(l.value) filter (where l.days between 31 and 60) as v60,
            sum(l.value) filter (where l.days between 61 and 90) as v90,
            sum(l.value) filter (where l.days between 91 and 180) as v180,
            sum(l.value) filter (where l.days between 181 and 365) as v365,
            sum(l.value) filter (where l.days > 365) as v_older,
            min(l.came_us) as oldest_us, l.last_issue_us,
            ((at_us - greatest(l.last_issue_us, min(l.came_us))) / 86400000000)::integer as idle_days
        from ledger.ageing_layers(of_site, at_us, of_item) l
        group by l.item, l.warehouse, l.owner, l.last_issue_us
    ) a
    left join ledger.planning_now w on w.site = of_site and w.item = a.item and w.warehouse = a.warehouse
        and w.warehouse <> ''
    left join ledger.planning_now i on i.site = of_site and i.item = a.item and i.warehouse = ''
$$;

-- The last day of batches.
create or replace view ledger.batch_expiry with (security_invoker = true) as
    select site, key, (body ->> 'expires_on')::date as expires_on
    from ledger.book_data_now where what = 'batch' and body ->> 'expires_on' is not null;

-- Batches that are past their last day, or will be within the item's days of warning, with what is where.
create or replace function ledger.expiry(of_site text, today date) returns table (
    site text, item text, batch text, expires_on date, days_left integer, state text, warehouse text, location text,
    disposition text, reservation text, owner text, quantity numeric, value numeric
) language sql stable as $$
    select s.site, s.item, s.batch, c.expires_on, c.expires_on - today,
        case when c.expires_on < today then 'expired' else 'expiring' end, s.warehouse, s.location, s.disposition,
        s.reservation, s.owner, s.quantity, s.value
    from ledger.stock s
    join ledger.batch_expiry c on c.site = of_site and c.key = s.item || '/' || s.batch
    left join ledger.planning_now w on w.site = of_site and w.item = s.item and w.warehouse = s.warehouse
        and w.warehouse <> ''
    left join ledger.planning_now i on i.site = of_site and i.item = s.item and i.warehouse = ''
    where s.site = of_site and s.batch <> ''
        and c.expires_on - today <= coalesce(w.expiry_warning_days, i.expiry_warning_days, 30)
$$;

-- Documents that stand: neither taken back nor what takes back.
create or replace view ledger.standing_documents with (security_invoker = true) as
    select d.* from ledger.documents d where d.kind <> 'reversal' and not exists (
        select from ledger.documents r
        where r.site = d.site and r.refers = d.id and r.refers <> '' and r.kind = 'reversal'
    );

-- What adjustments changed, line by line: the variances, with their cause, who and where. The book that was counted
-- against is the balance of the line's item, location, batch and owner just before the document. Values are in base
-- currency: the variance's as its voucher says, the book's at the unit cost of then; none: the item is not valued.
create or replace view ledger.variance_lines with (security_invoker = true) as
    select d.site, d.seq, d.id as document, d.happened_us, d.recorded_us, d.person, d.party as department, l.line,
        l.item, coalesce(nullif(p.warehouse, ''), d.warehouse) as warehouse, l.location, l.batch, l.owner,
        coalesce(nullif(l.reason, ''), 'unknown') as cause, l.quantity,
        case when l.owner = '' then c.value end as value, k.quantity as book_quantity,
        case when l.owner = '' then round(k.quantity * v.price, coalesce(m.decimals, 2)) end as book_value
    from ledger.standing_documents d
    join ledger.document_lines l on l.site = d.site and l.seq = d.seq
    left join ledger.places_now p on p.site = l.site and p.location = l.location
    left join ledger.money_now m on m.site = d.site
    cross join lateral (
        select coalesce(sum(n.balance), 0) as quantity
        from ledger.balances b cross join lateral (
            select q.balance from ledger.postings q
            where q.site = b.site and q.item = b.item and q.location = b.location and q.batch = b.batch
                and q.serial = b.serial and q.disposition = b.disposition and q.reservation = b.reservation
                and q.owner = b.owner and q.seq < d.seq
            order by q.seq desc, q.line desc limit 1
        ) n
        where b.site = l.site and b.item = l.item and b.location = l.location and b.owner = l.owner
            and (l.batch = '' or b.batch = l.batch)
    ) k
    left join lateral (
        select sum(x.debit - x.credit) as value
        from ledger.vouchers w join ledger.voucher_lines x on x.site = w.site and x.seq = w.seq
        where w.site = d.site and w.document = d.id and w.occasion = 'posting' and x.document_line = l.line
            and x.item = l.item and x.quantity <> 0
    ) c on true
    left join lateral (
        select v.price from ledger.valuations v
        where v.site = l.site and v.item = l.item and v.seq < d.seq order by v.seq desc limit 1
    ) v on true
    where d.kind = 'adjustment';

-- Variances that happened in a span of time (its end is outside), summed by: all, day, month, cause, item, warehouse,
-- department or person. The rate is the sum of the absolute values over the sum of the absolute book values; null where
-- nothing has a book value. Off: lines with a variance.
create or replace function ledger.variance_by(
    of_site text, since_us bigint, until_us bigint, by_what text, zone text default 'UTC'
) returns table (
    site text, subject text, documents bigint, lines bigint, lines_off bigint, value_off numeric, net_value numeric,
    book_value numeric, rate numeric
) language sql stable as $$
    select v.site, g.subject, count(distinct v.document), count(*), count(*) filter (where v.quantity <> 0),
        coalesce(sum(abs(v.value)), 0), coalesce(sum(v.value), 0), coalesce(sum(abs(v.book_value)), 0),
        coalesce(sum(abs(v.value)), 0) / nullif(sum(abs(v.book_value)), 0)
    from ledger.variance_lines v cross join lateral (
        select case by_what when 'all' then '' when 'day' then ledger.day_of(v.happened_us, zone)::text
            when 'month' then to_char(ledger.day_of(v.happened_us, zone), 'YYYY-MM') when 'cause' then v.cause
            when 'item' then v.item when 'warehouse' then v.warehouse when 'department' then v.department
            when 'person' then v.person end as subject
    ) g
    where v.site = of_site and v.happened_us >= since_us and v.happened_us < until_us
    group by v.site, g.subject
$$;

-- Accounts of the site's own chart, where it has one; the default charts have no rows here.
create or replace view ledger.accounts_now with (security_invoker = true) as
    select d.site, a.account ->> 'code' as account, a.account ->> 'name' as name, a.account ->> 'name_zh' as name_zh,
        a.account ->> 'kind' as kind, coalesce((a.account ->> 'is_stock')::boolean, false) as is_stock
    from ledger.book_data_now d
    left join ledger.book_data_now s on s.site = d.site and s.what = 'settings' and s.key = ''
    cross join jsonb_array_elements(d.body -> 'accounts') as a (account)
    where d.what = 'chart' and d.key = coalesce(s.body ->> 'chart', 'china');

-- What stands in each account, from the vouchers that were recorded by an instant. What a leading ERP is only asked to
-- book stands apart.
create or replace function ledger.trial_balance(of_site text, at_us bigint) returns table (
    site text, account text, is_proposal boolean, debit numeric, credit numeric, balance numeric
) language sql stable as $$
    select l.site, l.account, v.is_proposal, sum(l.debit), sum(l.credit), sum(l.debit) - sum(l.credit)
    from ledger.vouchers v join ledger.voucher_lines l on l.site = v.site and l.seq = v.seq
    where v.site = of_site and v.seq <= ledger.seq_recorded(of_site, at_us) and l.site = of_site
    group by l.site, l.account, v.is_proposal
$$;

-- One account, with its items: the same by a range of the account's own index.
create or replace function ledger.account_balance(of_site text, of_account text, at_us bigint) returns table (
    site text, account text, item text, debit numeric, credit numeric, balance numeric
) language sql stable as $$
    select l.site, l.account, l.item, sum(l.debit), sum(l.credit), sum(l.debit) - sum(l.credit)
    from ledger.voucher_lines l
    where l.site = of_site and l.account = of_account and l.seq <= ledger.seq_recorded(of_site, at_us)
    group by l.site, l.account, l.item
$$;

do $$
declare
    name regprocedure;
begin
    foreach name in array array[
        'ledger.seq_recorded(text, bigint)', 'ledger.day_of(bigint, text)', 'ledger.round_up(numeric, integer)',
        'ledger.stock_recorded(text, bigint)', 'ledger.item_flows(text, text[], bigint, bigint, bigint)',
        'ledger.ageing_layers(text, bigint, text)', 'ledger.ageing(text, bigint, text)', 'ledger.expiry(text, date)',
        'ledger.variance_by(text, bigint, bigint, text, text)', 'ledger.trial_balance(text, bigint)',
        'ledger.account_balance(text, text, bigint)'
    ]::regprocedure[] loop
        execute format('revoke all on function %s from public', name);
        execute format('grant execute on function %s to ledger_reader, ledger_appender, ledger_sink', name);
    end loop;
end
$$;
grant select on
    ledger.stock_places, ledger.planning_now, ledger.money_now, ledger.valuations_now, ledger.stock,
    ledger.batch_expiry, ledger.standing_documents, ledger.variance_lines, ledger.accounts_now
    to ledger_reader, ledger_appender, ledger_sink;
