-- Analysis of what is to come: open orders, available to promise, when to order again. See docs/analysis.md.

-- Lines of orders, of shipping notices and of what is on its way between warehouses, with the kind of document that
-- brings what they say.
create or replace view ledger.order_lines with (security_invoker = true) as
    select d.site, d.seq, d.id as document, d.kind, d.party, d.refers, d.happened_us, d.due_us, l.line, l.item,
        l.quantity, l.order_line, l.line = min(l.line) over (partition by d.site, d.seq, l.item) as is_first,
        coalesce(nullif(f.warehouse, ''), d.warehouse) as warehouse,
        coalesce(nullif(t.warehouse, ''), d.to_warehouse) as to_warehouse,
        case d.kind when 'purchase_order' then 'goods_receipt' when 'shipping_notice' then 'goods_receipt'
            when 'production_order' then 'production_receipt' when 'sales_order' then 'sales_shipment'
            when 'transfer_order' then 'transfer_out' else 'transfer_in' end as brought_by,
        exists (
            select from ledger.standing_documents c
            where c.site = d.site and c.refers = d.id and c.refers <> '' and c.kind = 'order_closed'
        ) as is_closed
    from ledger.standing_documents d
    join ledger.document_lines l on l.site = d.site and l.seq = d.seq
    left join ledger.places_now f on f.site = l.site and f.location = l.location
    left join ledger.places_now t on t.site = l.site and t.location = l.to_location
    where d.kind in (
        'purchase_order', 'shipping_notice', 'production_order', 'sales_order', 'transfer_order', 'transfer_out'
    );

-- The lines of a site's orders with what was brought and what is open. What a notice brought, its order got. Notices
-- stand for the open part of their order's line, the oldest first, and never for more; covered is how much of an order
-- they are.
create or replace function ledger.order_progress(of_site text) returns table (
    site text, seq bigint, document text, kind text, line integer, item text, party text, refers text, warehouse text,
    to_warehouse text, happened_us bigint, due_us bigint, ordered numeric, brought numeric, is_closed boolean,
    open numeric, covered numeric
) language sql stable as $$
    with orders as materialized (
        select o.* from ledger.order_lines o where o.site = of_site
    ), followed as materialized (
        -- A line that names none follows the first with its item.
        select o.document, o.line, sum(l.quantity) as quantity
        from orders o
        join ledger.standing_documents f on f.site = of_site and f.refers = o.document and f.refers <> ''
            and f.kind = o.brought_by
        join ledger.document_lines l on l.site = of_site and l.seq = f.seq
            and (l.order_line = o.line or (l.order_line = 0 and o.is_first and l.item = o.item))
        group by o.document, o.line
    ), noticed as materialized (
        select n.seq, n.document, n.line, o.document as ordered, o.line as ordered_line
        from orders n join orders o on o.document = n.refers and o.kind = 'purchase_order'
            and (o.line = n.order_line or (n.order_line = 0 and o.is_first and o.item = n.item))
        where n.kind = 'shipping_notice' and n.refers <> ''
    ), lines as materialized (
        select o.*, coalesce(f.quantity, 0) + coalesce(n.quantity, 0) as brought,
            case when o.is_closed then 0
                else greatest(o.quantity - coalesce(f.quantity, 0) - coalesce(n.quantity, 0), 0) end as left_over
        from orders o
        left join followed f on f.document = o.document and f.line = o.line
        left join (
            select n.ordered, n.ordered_line, sum(f.quantity) as quantity
            from noticed n join followed f on f.document = n.document and f.line = n.line
            group by n.ordered, n.ordered_line
        ) n on n.ordered = o.document and n.ordered_line = o.line
    ), notices as materialized (
        select n.document, n.line, n.ordered, n.ordered_line, o.left_over as asked, l.left_over as said,
            sum(l.left_over) over (
                partition by n.ordered, n.ordered_line order by n.seq, n.line rows unbounded preceding
            ) as upto
        from noticed n
        join lines l on l.document = n.document and l.line = n.line
        join lines o on o.document = n.ordered and o.line = n.ordered_line
    )
    select of_site, l.seq, l.document, l.kind, l.line, l.item, l.party, l.refers, l.warehouse, l.to_warehouse,
        l.happened_us,
        -- What is on its way and says no day of its own comes when its order expected it.
        case when l.kind = 'transfer_out' and l.due_us = 0 then coalesce((
            select d.due_us from ledger.documents d where d.site = of_site and d.id = l.refers
        ), 0) else l.due_us end,
        l.quantity, l.brought, l.is_closed,
        case when n.document is null then l.left_over
            else least(n.upto, n.asked) - least(n.upto - n.said, n.asked) end,
        coalesce(c.quantity, 0)
    from lines l
    left join notices n on n.document = l.document and n.line = l.line
    left join (
        select n.ordered, n.ordered_line, least(max(n.upto), max(n.asked)) as quantity
        from notices n group by n.ordered, n.ordered_line
    ) c on c.ordered = l.document and c.ordered_line = l.line
$$;

-- How many base units each unit of an item is; a unit may be made of another one.
create or replace view ledger.unit_factors with (security_invoker = true) as
    with recursive units as (
        select d.site, d.key as item, u.unit ->> 'unit' as unit, (u.unit ->> 'contains')::numeric as contains,
            coalesce(u.unit ->> 'of', '') as of_unit
        from ledger.book_data_now d cross join jsonb_array_elements(d.body -> 'units') as u (unit)
        where d.what = 'units'
    ), factors as (
        select i.site, i.item, b.unit, 1::numeric as factor, 0 as depth
        from ledger.items_now i cross join lateral (values (''), (i.base_unit)) as b (unit)
        union all
        select u.site, u.item, u.unit, f.factor * u.contains, f.depth + 1
        from units u join factors f on f.site = u.site and f.item = u.item and f.unit = u.of_unit
        -- No longer than an item may have units, so a ring of them ends.
        where f.depth < 50
    )
    select distinct on (site, item, unit) site, item, unit, factor from factors order by site, item, unit, depth;

-- What goes into lots of what is made, in base units, with what is lost on the way.
create or replace view ledger.bill_lines with (security_invoker = true) as
    select d.site, d.key as made, coalesce((d.body ->> 'lot')::numeric, 1) as lot, c.part ->> 'item' as item,
        (c.part ->> 'quantity')::numeric * u.factor * (1 + coalesce((c.part ->> 'scrap_rate')::numeric, 0)) as quantity
    from ledger.book_data_now d cross join jsonb_array_elements(d.body -> 'components') as c (part)
    join ledger.unit_factors u on u.site = d.site and u.item = c.part ->> 'item'
        and u.unit = coalesce(c.part ->> 'unit', '')
    where d.what = 'bill_of_materials';

-- What is expected to come and to go: by item and warehouse, with its document and day; due_us 0: no day is said. Open
-- production orders need components by the bill of materials, less what was issued for them; they are needed when
-- production starts, the lead time before the order is due. Allocated: how much of a demand has stock of its own.
create or replace function ledger.supply_and_demand(of_site text) returns table (
    site text, direction text, source text, seq bigint, document text, line integer, item text, warehouse text,
    due_us bigint, quantity numeric, allocated numeric
) language sql stable as $$
    with open_lines as materialized (
        select o.* from ledger.order_progress(of_site) o where o.open > 0
    ), components as (
        select o.seq, o.document, min(o.line) as line, b.item, min(o.warehouse) as warehouse,
            min(case when o.due_us = 0 then 0
                else o.due_us - 86400000000 * coalesce(w.lead_time_days, p.lead_time_days, 0) end) as due_us,
            sum(o.ordered * b.quantity / b.lot) as quantity
        from open_lines o
        join ledger.bill_lines b on b.site = of_site and b.made = o.item
        left join ledger.planning_now w on w.site = of_site and w.item = o.item and w.warehouse = o.warehouse
            and w.warehouse <> ''
        left join ledger.planning_now p on p.site = of_site and p.item = o.item and p.warehouse = ''
        where o.kind = 'production_order'
        group by o.seq, o.document, b.item
    ), needs as (
        select c.*, ledger.round_up(c.quantity - coalesce(g.quantity, 0), i.decimals) as missing
        from components c
        join ledger.items_now i on i.site = of_site and i.item = c.item
        left join lateral (
            select sum(l.quantity) as quantity
            from ledger.standing_documents f join ledger.document_lines l on l.site = f.site and l.seq = f.seq
            where f.site = of_site and f.refers = c.document and f.refers <> '' and f.kind = 'goods_issue'
                and l.item = c.item
        ) g on true
    ), allocated as (
        select a.order_id, a.item, sum(a.quantity) as quantity
        from ledger.allocations a
        where a.site = of_site and a.quantity > 0 and a.disposition = 'available' and a.owner = ''
        group by a.order_id, a.item
    ), sold as (
        -- Its lines have what is allocated to an order one after the other.
        select o.*, least(o.open, greatest(coalesce(a.quantity, 0) - coalesce(sum(o.open) over (
            partition by o.document, o.item order by o.line rows between unbounded preceding and 1 preceding
        ), 0), 0)) as allocated
        from open_lines o left join allocated a on a.order_id = o.document and a.item = o.item
        where o.kind = 'sales_order'
    )
    select of_site, 'supply', o.kind, o.seq, o.document, o.line, o.item,
        case when o.kind in ('transfer_order', 'transfer_out') then o.to_warehouse else o.warehouse end,
        o.due_us, o.open - o.covered, 0
    from open_lines o where o.kind <> 'sales_order' and o.open > o.covered
    union all
    select of_site, 'demand', s.kind, s.seq, s.document, s.line, s.item, s.warehouse, s.due_us, s.open, s.allocated
    from sold s
    union all
    select of_site, 'demand', o.kind, o.seq, o.document, o.line, o.item, o.warehouse, o.due_us, o.open, 0
    from open_lines o where o.kind = 'transfer_order'
    union all
    select of_site, 'demand', 'production_order', n.seq, n.document, n.line, n.item, n.warehouse, n.due_us,
        n.missing, 0
    from needs n where n.missing > 0
$$;

-- What may be promised of what is there, by item and warehouse: ours, available, its batch not past its last day.
-- Free is not reserved; the rest of it is reserved; all else that is there is blocked.
create or replace function ledger.available(of_site text, today date) returns table (
    site text, item text, warehouse text, on_hand numeric, free numeric, reserved numeric, blocked numeric
) language sql stable as $$
    select h.site, h.item, h.warehouse, sum(h.quantity),
        coalesce(sum(h.quantity) filter (where h.is_usable and h.reservation = 'none'), 0),
        coalesce(sum(h.quantity) filter (where h.is_usable and h.reservation <> 'none'), 0),
        coalesce(sum(h.quantity) filter (where not h.is_usable), 0)
    from (
        select b.site, b.item, p.warehouse, b.reservation, b.quantity,
            b.owner = '' and b.disposition = 'available' and coalesce(c.expires_on >= today, true) as is_usable
        from ledger.balances b
        join ledger.stock_places p on p.site = b.site and p.location = b.location and p.kind <> 'in_transit'
        left join ledger.batch_expiry c on c.site = of_site and c.key = b.item || '/' || b.batch and b.batch <> ''
        where b.site = of_site and b.quantity <> 0
    ) h
    group by h.site, h.item, h.warehouse
$$;

-- Available to promise by day: what is free today, what comes, and what goes beyond what is reserved for it. What is
-- allocated to an order serves that order; other reserved stock serves the earliest demand of its item and warehouse.
-- Late supply and demand count today; demand without a day too; supply without a day never. Promise: what can be given
-- away that day without breaking any later demand.
create or replace function ledger.available_to_promise(of_site text, today date, zone text default 'UTC')
    returns table (
        site text, item text, warehouse text, day date, supply numeric, demand numeric, projected numeric,
        promise numeric
    ) language sql stable as $$
    with facts as (
        select s.item, s.warehouse,
            greatest(case when s.due_us = 0 then today else ledger.day_of(s.due_us, zone) end, today) as day,
            case when s.direction = 'supply' then s.quantity else 0 end as supply,
            case when s.direction = 'demand' then s.quantity else 0 end as demand, s.allocated, 0 as free,
            0 as reserved
        from ledger.supply_and_demand(of_site) s
        where s.due_us <> 0 or s.direction = 'demand'
        union all
        select a.item, a.warehouse, today, 0, 0, 0, a.free, a.reserved from ledger.available(of_site, today) a
    ), days as (
        select f.item, f.warehouse, f.day, sum(f.supply) as supply, sum(f.demand) as demand,
            sum(f.free) as free, sum(f.demand - f.allocated) as uncovered,
            sum(f.reserved) - sum(f.allocated) as spare
        from facts f group by f.item, f.warehouse, f.day
    ), projected as (
        select d.item, d.warehouse, d.day, d.supply, d.demand,
            sum(d.free + d.supply) over upto
                - greatest(sum(d.uncovered) over upto - sum(d.spare) over everything, 0) as projected
        from days d window everything as (partition by d.item, d.warehouse), upto as (everything order by d.day)
    )
    select of_site, p.item, p.warehouse, p.day, p.supply, p.demand, p.projected,
        greatest(min(p.projected) over (
            partition by p.item, p.warehouse order by p.day rows between current row and unbounded following
        ), 0)
    from projected p
$$;

-- Which rows of planning speak for which warehouses of an item: its own where it has one, else the one for all others.
create or replace view ledger.planned_warehouses with (security_invoker = true) as
    select p.site, p.item, p.warehouse as area, w.warehouse
    from ledger.planning_now p
    join (select distinct site, warehouse from ledger.places_now where kind in ('zone', 'bin')) w on w.site = p.site
    where case when p.warehouse = '' then not exists (
        select from ledger.planning_now o
        where o.site = p.site and o.item = p.item and o.warehouse = w.warehouse and o.warehouse <> ''
    ) else w.warehouse = p.warehouse end;

-- When to order again, for each row of planning (area '': all warehouses without a row of their own). Use is what was
-- issued in the 90 whole days before today. Where planning says nothing, safety stock is 1.645 times the deviation of
-- daily use over the lead time, and the reorder point is the use over the lead time and the safety stock. At or below
-- it, order up to the reorder point and the use of one more lead time, in lots.
create or replace function ledger.reorder(of_site text, today date, zone text default 'UTC') returns table (
    site text, item text, area text, daily_use numeric, deviation numeric, lead_time_days integer,
    safety_stock numeric, reorder_point numeric, free numeric, reserved numeric, supply numeric, demand numeric,
    stock_position numeric, suggested numeric, how text, source text
) language sql stable as $$
    with since as materialized (
        -- What happened since then was recorded since then, but for a minute that clocks may differ.
        select ledger.seq_recorded(of_site, (extract(epoch from (
            (today - 90)::timestamp at time zone zone
        )) * 1000000)::bigint - 61000000) as seq
    ), plans as materialized (
        select p.*, i.decimals from ledger.planning_now p
        join ledger.items_now i on i.site = of_site and i.item = p.item where p.site = of_site
    ), facts as (
        select f.item, f.warehouse, f.day, -f.quantity as used, 0 as free, 0 as reserved, 0 as supply, 0 as demand
        from since s cross join lateral (
            select f.item, f.warehouse, f.quantity, ledger.day_of(f.happened_us, zone) as day
            from ledger.item_flows(
                of_site, null::text[], s.seq + 1, 9223372036854775807, 9223372036854775807
            ) f where f.is_issue
        ) f
        where f.day >= today - 90 and f.day < today
        union all
        select a.item, a.warehouse, null, 0, a.free, a.reserved, 0, 0 from ledger.available(of_site, today) a
        union all
        select e.item, e.warehouse, null, 0, 0, 0, case when e.direction = 'supply' then e.quantity else 0 end,
            case when e.direction = 'demand' then e.quantity else 0 end
        from ledger.supply_and_demand(of_site) e
    ), days as (
        select f.item, case when o.item is null then '' else f.warehouse end as area, f.day, sum(f.used) as used,
            sum(f.free) as free, sum(f.reserved) as reserved, sum(f.supply) as supply, sum(f.demand) as demand
        from facts f
        left join plans o on o.item = f.item and o.warehouse = f.warehouse and o.warehouse <> ''
        left join (select distinct p.item from plans p where p.warehouse <> '') d on d.item = f.item
        -- Where one row speaks for the whole house, what goes from one warehouse to another is no use.
        where f.day is null or (f.warehouse is null) = (d.item is null)
        group by 1, 2, 3
    ), sums as (
        select d.item, d.area, sum(d.used) / 90 as mean,
            greatest((sum(d.used * d.used) - sum(d.used) * sum(d.used) / 90) / 89, 0) as variance,
            sum(d.free) as free, sum(d.reserved) as reserved, sum(d.supply) as supply, sum(d.demand) as demand
        from days d group by d.item, d.area
    ), figures as (
        select p.*, coalesce(s.mean, 0) as mean, coalesce(sqrt(s.variance), 0) as deviation,
            case when p.safety_stock > 0 then p.safety_stock else ledger.round_up(
                1.645 * sqrt(coalesce(s.variance, 0) * p.lead_time_days), p.decimals) end as safety,
            coalesce(s.free, 0) as free, coalesce(s.reserved, 0) as reserved, coalesce(s.supply, 0) as supply,
            coalesce(s.demand, 0) as demand
        from plans p left join sums s on s.item = p.item and s.area = p.warehouse
    ), points as (
        select f.*, coalesce(
                f.reorder_point, ledger.round_up(f.mean * f.lead_time_days, f.decimals) + f.safety
            ) as point,
            f.free + f.supply - greatest(f.demand - f.reserved, 0) as stock_position
        from figures f
    ), wanted as (
        select p.*, greatest(
            p.point + ledger.round_up(p.mean * p.lead_time_days, p.decimals) - p.stock_position, p.lot_min,
            round(10::numeric ^ -p.decimals, p.decimals)
        ) as quantity
        from points p
    )
    select of_site, w.item, w.warehouse, round(w.mean, 6), round(w.deviation, 6), w.lead_time_days, w.safety, w.point,
        w.free, w.reserved, w.supply, w.demand, w.stock_position,
        case when w.stock_position > w.point or (w.point = 0 and w.stock_position = 0) then 0
            when w.lot_size is null then w.quantity else ceil(w.quantity / w.lot_size) * w.lot_size end,
        case when w.from_warehouse <> '' then 'transfer' when exists (
            select from ledger.book_data_now b
            where b.site = of_site and b.what = 'bill_of_materials' and b.key = w.item
        ) then 'production' else 'purchase' end,
        case when w.from_warehouse <> '' then w.from_warehouse else w.supplier end
    from wanted w
$$;

grant select on ledger.order_lines, ledger.unit_factors, ledger.bill_lines, ledger.planned_warehouses
    to ledger_reader, ledger_appender, ledger_sink;
revoke all on function
    ledger.order_progress(text), ledger.supply_and_demand(text), ledger.available(text, date),
    ledger.available_to_promise(text, date, text), ledger.reorder(text, date, text)
    from public;
grant execute on function
    ledger.order_progress(text), ledger.supply_and_demand(text), ledger.available(text, date),
    ledger.available_to_promise(text, date, text), ledger.reorder(text, date, text)
    to ledger_reader, ledger_appender, ledger_sink;
