"""Dice whose throws depend on what they are for, never on the order in which they are thrown.

The world is planned with named `random.Random` streams. What a reader hears is diced per tag and
antenna cycle: `hash` of a pair of integers, which CPython mixes the same way in every process (only
text hashes are salted), and then the finalizer of splitmix64, because the pair's hash alone
walks too evenly from cycle to cycle, and misses would be more regular than chance.
"""

from __future__ import annotations

import hashlib
import random

MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
KEY_BITS = 60
"""Keys stay below 2**60: CPython's hash of a small integer is then the integer itself."""


def stream(*names: str | int) -> random.Random:
    """Dice for one purpose: the same names give the same throws."""
    return random.Random("/".join(str(name) for name in names))


def key_of(*names: str | int) -> int:
    """A random-looking key for a thing: equal names give equal keys."""
    digest = hashlib.blake2b("/".join(str(name) for name in names).encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big") >> (64 - KEY_BITS)


def throw(key: int, cycle: int) -> int:
    """64 bits for one key in one cycle; any of them are good dice."""
    mixed = hash((key, cycle)) & MASK_64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & MASK_64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & MASK_64
    return mixed ^ mixed >> 31
