"""Appends what the stream says to the ledger, proves it, and measures it.

Read `sink.py` first: it is the main flow. The ledger itself lives in the SQL schema `ledger`
(`sql/migrations`); `ledger.py` says in Python what that schema can do.
"""
