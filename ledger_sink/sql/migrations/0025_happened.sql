-- What had happened by an instant, without adding up an item's whole past.

-- Postings that were written down long after they happened: the few that the book of a past instant did not know yet.
-- Long is 2^30 microseconds, 18 minutes; what is less late is found by when it happened.
create index if not exists postings_long_late on ledger.postings (site, item, recorded_us) include (happened_us)
    where recorded_us - happened_us >= 1073741824;

-- The book as it was recorded by an instant, by key. The instant is a place in the chain, so each key is one look.
create or replace function ledger.book_recorded(of_site text, of_item text, at_us bigint)
    returns setof ledger.balances language sql stable as $$
    select b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, p.balance, p.seq
    from ledger.balances b cross join lateral (
        select p.balance, p.seq from ledger.postings p
        where (p.site, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner)
            = (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
            and p.seq <= (select ledger.seq_recorded(of_site, at_us))
        order by p.seq desc, p.line desc limit 1
    ) p
    where b.site = of_site and b.item = of_item and p.balance <> 0
$$;

-- The book as it is known now of what had happened by then: the book as it was recorded at that instant (or at the
-- other, if that came first), with what was written down later and had happened before, without what was written down
-- before and happened later. Nothing is written down more than a minute before it happens: ledger.mistakes_in refuses
-- it. seq is the last movement that was looked at.
create or replace function ledger.book_happened(of_site text, of_item text, happened bigint, recorded bigint)
    returns setof ledger.balances language sql stable as $$
    select b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner,
        coalesce(r.balance, 0) + coalesce(c.quantity, 0), greatest(r.seq, c.seq)
    from ledger.balances b
    left join lateral (
        select p.balance, p.seq from ledger.postings p
        where (p.site, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner)
            = (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
            and p.seq <= (select ledger.seq_recorded(of_site, least(happened, recorded)))
        order by p.seq desc, p.line desc limit 1
    ) r on true
    left join (
        select m.location, m.batch, m.serial, m.disposition, m.reservation, m.owner, sum(m.quantity) as quantity,
            max(m.seq) as seq
        from (
            select p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, p.quantity, p.seq
            from ledger.postings p
            where p.site = of_site and p.item = of_item and p.recorded_us > happened and p.recorded_us <= recorded
                and p.happened_us <= happened and p.recorded_us - p.happened_us >= 1073741824
            union all
            select p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner,
                case when p.happened_us <= happened then p.quantity else -p.quantity end, p.seq
            from (
                select distinct k.location from ledger.balances k where k.site = of_site and k.item = of_item
            ) l
            join ledger.postings p on p.site = of_site and p.item = of_item and p.location = l.location
                and p.happened_us > happened - 1073741824
                and p.happened_us <= least(happened, 9007199254740992) + 60000000
            where case when p.happened_us <= happened
                then p.recorded_us > happened and p.recorded_us <= recorded
                    and p.recorded_us - p.happened_us < 1073741824
                else p.recorded_us <= least(happened, recorded)
            end
        ) m
        group by m.location, m.batch, m.serial, m.disposition, m.reservation, m.owner
    ) c using (location, batch, serial, disposition, reservation, owner)
    where b.site = of_site and b.item = of_item and coalesce(r.balance, 0) + coalesce(c.quantity, 0) <> 0
$$;

do $$
begin
    perform ledger.close_rights();
end
$$;
