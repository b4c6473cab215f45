-- What `tallygate report` prints beside the analysis.

-- name: item_names
-- What people call items, and their base units.
select i.item, coalesce(c.body ->> 'name', ''), coalesce(c.body ->> 'name_zh', ''), i.base_unit
from ledger.items_now i
left join ledger.book_data_now c on c.site = i.site and c.what = 'item_card' and c.key = i.item
where i.site = %(site)s

-- name: report_vouchers
-- Vouchers and their lines, in order of recording; filters that are empty let all through.
select v.id, v.document, v.occasion, v.happened_us, v.recorded_us, v.reverses, v.is_proposal, l.line, l.account,
    l.debit, l.credit, l.item, l.quantity, l.party, l.tax, l.currency, l.currency_amount
from ledger.vouchers v join ledger.voucher_lines l on l.site = v.site and l.seq = v.seq
where v.site = %(site)s and v.recorded_us <= %(at_us)s and v.happened_us >= %(since_us)s
    and v.happened_us < %(until_us)s and (%(document)s = '' or v.document = %(document)s)
    and (%(account)s = '' or l.account = %(account)s) and (%(item)s = '' or l.item = %(item)s)
order by v.seq, l.line

-- name: account_names
-- The accounts of the site's chart.
select account, name, name_zh from ledger.accounts_now where site = %(site)s
