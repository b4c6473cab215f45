"""A warehouse to rehearse with: its devices on their real protocols, and the truth written down.

Read me first: `core/shift.py` decides everything that happens from one seed; `core/inventory.py`
says what a reader hears of it; `run.py` puts servers in front of both; `offline.py` gives the same
reads without sockets.
"""
