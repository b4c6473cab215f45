-- Analysis of stock, orders, variances and accounts; analysis.py gives the answers their types. docs/analysis.md says
-- what each figure is.

-- name: stock
-- The present stock with its value.
select item, warehouse, location, batch, disposition, reservation, owner, quantity, value from ledger.stock
where site = %(site)s order by item, warehouse, location, batch, disposition, reservation, owner

-- name: stock_recorded
-- The stock as it was recorded by an instant.
select item, warehouse, location, batch, disposition, reservation, owner, quantity, value
from ledger.stock_recorded(%(site)s, %(at_us)s)
order by item, warehouse, location, batch, disposition, reservation, owner

-- name: ageing_layers
-- What is left of what came in.
select item, warehouse, owner, came_us, days, quantity, value, last_issue_us
from ledger.ageing_layers(%(site)s, %(at_us)s, %(item)s)
order by item, warehouse nulls first, owner, came_us, seq

-- name: ageing
-- Ageing in bands, slow and dead stock.
select item, warehouse, owner, quantity, value,
    array[quantity_30, quantity_60, quantity_90, quantity_180, quantity_365, quantity_older],
    array[value_30, value_60, value_90, value_180, value_365, value_older],
    oldest_us, last_issue_us, idle_days, alert
from ledger.ageing(%(site)s, %(at_us)s, %(item)s)
order by item, warehouse nulls first, owner

-- name: expiry
-- Batches that are past their last day or near it.
select item, batch, expires_on, days_left, state, warehouse, location, disposition, reservation, owner, quantity, value
from ledger.expiry(%(site)s, %(today)s)
order by expires_on, item, batch, location, disposition, reservation, owner

-- name: open_orders
-- Lines of orders, notices and transfers that have something open.
select document, line, kind, item, party, warehouse, to_warehouse, due_us, ordered, brought, open, covered
from ledger.order_progress(%(site)s) where open > 0 order by seq, line

-- name: supply_and_demand
-- What is expected to come and to go.
select direction, source, document, line, item, warehouse, due_us, quantity, allocated
from ledger.supply_and_demand(%(site)s) order by item, warehouse, direction, due_us, seq, line

-- name: available
-- What may be promised of what is there.
select item, warehouse, on_hand, free, reserved, blocked from ledger.available(%(site)s, %(today)s)
order by item, warehouse

-- name: available_to_promise
-- What may be promised by day.
select item, warehouse, day, supply, demand, projected, promise
from ledger.available_to_promise(%(site)s, %(today)s, %(zone)s) order by item, warehouse, day

-- name: reorder
-- When to order again.
select item, area, daily_use, deviation, lead_time_days, safety_stock, reorder_point, free, reserved, supply, demand,
    stock_position, suggested, how, source
from ledger.reorder(%(site)s, %(today)s, %(zone)s) order by item, area

-- name: variance_lines
-- Variances that happened in a span of time, in order of recording.
select document, line, happened_us, item, warehouse, location, batch, owner, person, department, cause, quantity, value,
    book_quantity, book_value
from ledger.variance_lines where site = %(site)s and happened_us >= %(since_us)s and happened_us < %(until_us)s
order by seq, line

-- name: variance_by
-- Variances summed by something, the greatest value first.
select subject, documents, lines, lines_off, value_off, net_value, book_value, rate
from ledger.variance_by(%(site)s, %(since_us)s, %(until_us)s, %(by_what)s, %(zone)s)
order by value_off desc, lines_off desc, subject

-- name: trial_balance
-- What stands in each account.
select account, is_proposal, debit, credit, balance from ledger.trial_balance(%(site)s, %(at_us)s)
order by account, is_proposal

-- name: account_balance
-- What stands in one account for each item.
select item, debit, credit, balance from ledger.account_balance(%(site)s, %(account)s, %(at_us)s) order by item

-- name: items
-- Items as planning counts them.
select item, base_unit, decimals, tracking, negative from ledger.items_now where site = %(site)s

-- name: planning
-- How items are replenished.
select item, warehouse, body::text from ledger.planning_now where site = %(site)s

-- name: recipes
-- Bills of materials and units, as they count now.
select what, key, body::text from ledger.book_data_now
where site = %(site)s and what in ('bill_of_materials', 'units')

-- name: expected_days
-- What planning expects to come and to go, by day.
select s.direction, concat(s.document, ' line ', s.line), s.item, s.warehouse, s.quantity,
    case when s.due_us <> 0 then ledger.day_of(s.due_us, %(zone)s) end, s.allocated
from ledger.supply_and_demand(%(site)s) s order by s.seq, s.line
