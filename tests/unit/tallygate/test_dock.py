"""The simulated dock of `up`: something passes soon, and its ports stay."""

import socket

from tallygate.dock import PORTS, _are_free, first_passage_us, free_ports


def test_every_shift_has_its_first_pallet_within_minutes() -> None:
    for seed in range(1, 6):
        assert 0 < first_passage_us(seed) < 400_000_000, f"seed {seed}"


def test_ports_in_a_row_are_free_until_somebody_listens_on_one() -> None:
    first = free_ports()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first + PORTS - 1))
        listener.listen()
        assert not _are_free(first)
