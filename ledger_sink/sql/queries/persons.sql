-- Who stands behind pseudonyms, and making the ledger forget it.

-- name: pseudonym_of
-- The pseudonym of a person, made at first use.
select ledger.pseudonym_of(%(site)s, %(person)s, %(use)s, %(at_us)s)

-- name: pseudonyms_of
-- The pseudonyms of several persons, each made at first use.
select g.person, ledger.pseudonym_of(%(site)s, g.person, g.use, %(at_us)s)
from unnest(%(persons)s::text[], %(uses)s::text[]) with ordinality as g (person, use, place) order by g.place

-- name: standing_for
-- Of pairs of a pseudonym and a person those where it stands for the person, or for nobody any more.
select g.pseudonym, g.person from unnest(%(pseudonyms)s::text[], %(persons)s::text[]) as g (pseudonym, person)
where ledger.stands_for(%(site)s, g.pseudonym, g.person)

-- name: entered_movements
-- Movements that are entered under these ids.
select e.payload from ledger.entries e
where e.site = %(site)s and e.kind = 'movement' and e.id = any (%(ids)s::text[])

-- name: may_name
-- Whether the login may know who somebody is.
select has_table_privilege('ledger.persons_named', 'select')
    and has_column_privilege('ledger.persons', 'name', 'select')

-- name: names
-- The names of persons, else their sign-in ids.
select p.pseudonym, coalesce(p.name, p.person) from ledger.persons_named p
where p.site = %(site)s and p.pseudonym = any (%(pseudonyms)s::text[]) and not p.is_redacted

-- name: name_person
-- Tell the name of a person that has a pseudonym.
select ledger.name_person(%(site)s, %(person)s, %(name)s)

-- name: persons
-- All persons of a site, those that are kept the shortest first.
select pseudonym, person, name, until_us, legal_us from ledger.persons_named
where site = %(site)s order by is_redacted, until_us, pseudonym

-- name: redact
-- Forget a person; the place of the entry that says so.
select ledger.redact_person(%(site)s, %(at_us)s, %(pseudonym)s, %(by)s, %(why)s, %(early)s)

-- name: retention_times
-- How long each kind of personal data is kept at a site.
select distinct on (kind) kind, days, is_legal from ledger.retention_times
where site in (%(site)s, '*') order by kind, site = '*', ordinal desc

-- name: put_retention
-- Set how long a kind of personal data is kept.
select ledger.put_retention(%(site)s, %(use)s, %(days)s, %(by_law)s)

-- name: in_clear
-- Where payloads name persons in clear, by kind of entry. Reads every payload that can.
select kind, part, count(*), min(seq), max(seq) from ledger.persons_in_clear
where site = %(site)s group by kind, part order by kind, part
