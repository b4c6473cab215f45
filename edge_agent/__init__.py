"""From device bytes to reads, none lost: decode, normalise, spool until the ledger has them."""
