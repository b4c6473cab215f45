-- Who stands behind pseudonyms, and making the ledger forget it.

-- name: pseudonym_of
-- The pseudonym of a person, made at first use.
select ledger.pseudonym_of(%(site)s, %(person)s, %(use)s, %(at_us)s)

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
