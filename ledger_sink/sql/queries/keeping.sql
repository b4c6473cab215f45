-- How long things are kept.

-- name: months
-- The months of evidence, oldest first.
select name, from_us, to_us, sightings, bytes from ledger.evidence_months order by from_us

-- name: forget
-- Forget the months that end by an instant; what each held.
select month, sightings from ledger.forget_evidence(%(before_us)s, %(at_us)s)
