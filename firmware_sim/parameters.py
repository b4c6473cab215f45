"""Every value of the simulated world, each with its source or reason. Change one with `--set`.

Results on these values are simulated and are not comparable with figures from the field.
Decibels here are one-way unless a name says otherwise.
"""

from __future__ import annotations

import msgspec


class SignalParameters(msgspec.Struct, frozen=True, kw_only=True):
    """How radio, tags and readers behave."""

    # Misses.
    read_rate: float = 0.65
    """Mean read chance of a powered tag per antenna cycle: the field reports 60 to 70 %."""
    read_chance_max: float = 0.9
    """The best tag's read chance per antenna cycle: none is ever sure."""
    chance_concentration: float = 7.0
    """How closely the per-passage-and-tag factor keeps to its mean (sum of the Beta's two
    parameters): orientation, metal and liquid make it spread widely."""
    shadow_share: float = 0.02
    """Share of tags in a dense pallet that something hides nearly wholly for a whole passage, so
    that, with fast trucks and the factor's own tail, 1 to 3 % give 0 to 3 reads."""
    shadow_chance_min: float = 0.08
    """Read chance of a hidden tag, lower end."""
    shadow_chance_max: float = 0.15
    """Read chance of a hidden tag, upper end."""
    dense_tags: int = 24
    """A carrier with at least so many tags is a dense pallet."""

    # Link budget, in dB. Chosen so that signals lie between about -75 and -35 dBm.
    antenna_gain_db: float = 6.0
    """A patch antenna of 6 dBi, the usual portal antenna."""
    cable_loss_db: float = 1.0
    """About 6 m of cable."""
    beam_width_deg: float = 70.0
    """Width of the lobe at -3 dB."""
    front_to_back_db: float = 18.0
    """How much weaker the antenna is behind."""
    loss_at_metre_db: float = 31.7
    """Free space at 915 MHz and 1 m."""
    distance_exponent: float = 2.0
    """Distance law: free space; what stands about is in fading, dips and shadows."""
    tag_loss_db: float = 1.0
    """Tag antenna gain of 2 dBi less 3 dB of polarisation."""
    backscatter_loss_db: float = 4.0
    """What the tag's modulation loses of what it reflects."""
    reader_sensitivity_dbm: float = -77.0
    """Weaker answers are lost in the reader's noise."""
    item_loss_min_db: float = 2.0
    """Loss by the item that the tag sticks on, lightest."""
    item_loss_max_db: float = 7.0
    """The same, heaviest."""
    stack_loss_db: float = 6.0
    """What the goods between a tag and an antenna on the far side of a dense pallet take."""
    sensitivity_dbm: float = -18.0
    """Power that wakes an average tag."""
    sensitivity_spread_db: float = 1.5
    """Standard deviation of tag sensitivities."""
    slow_fading_db: float = 2.25
    """Standard deviation, one-way: 4.5 dB in the signal, within the field's 3 to 6 dB."""
    dip_min_db: float = 2.5
    """Shallowest multipath dip, one-way: 5 dB in the signal."""
    dip_max_db: float = 7.5
    """Deepest multipath dip, one-way: 15 dB in the signal."""
    dip_share: float = 0.15
    """Share of places that lie in a dip."""
    between_doors_loss_db: float = 3.0
    """What door posts and the goods between two doors take of cross-talk."""
    rssi_noise_db: float = 1.0
    """Half width of the reader's own measuring noise in the signal; it reports whole dBm."""

    # Readers.
    dwell_us: int = 50_000
    """How long a reader stays at one antenna before it takes the next."""
    reads_per_second_max: int = 600
    """What a reader gives in all when the field is full: real ones give 100 to 700."""
    session_one_min_us: int = 500_000
    """Gen2: an S1 flag lasts at least so long."""
    session_one_max_us: int = 5_000_000
    """Gen2: an S1 flag lasts at most so long."""
    session_two_us: int = 2_000_000
    """Gen2: S2 and S3 flags last at least so long after the power is gone."""
    ghost_one_in: int = 1_000_000
    """One read in so many carries bit errors that pass the tag's CRC."""
    power_max_dbm: float = 30.0
    """The most a reader may send."""
    power_min_dbm: float = 10.0
    """The least a reader can send."""

    # The conveyor's scanner.
    no_read_share: float = 0.015
    """Share of triggers at which the scanner finds no code."""
    double_read_share: float = 0.01
    """Share of triggers that give the code twice."""


class ReaderParameters(msgspec.Struct, frozen=True, kw_only=True):
    """One reader's own nature."""

    maker: str = "none"
    """Whose reader it plays: `none`, `generic`, `impinj`, `zebra`, `thingmagic`."""
    protocol: int = 2
    """Highest LLRP version: 1 is 1.0.1, 2 is 1.1."""
    utc_clock: bool = True
    """False: it only knows its uptime."""
    clock_offset_us: int = 0
    """How much its clock is ahead of domain time."""
    drift_ppm: float = 0.0
    """How much its clock gains, in microseconds per second."""
    omit_unchanged: bool = False
    """True: leaves out parameters that equal the previous report's, as LLRP allows."""
    buffer_reports_max: int = 50_000
    """Tag reports that it keeps when the client is slow or away: some minutes of a full field."""
    dead_antennas: tuple[tuple[int, int, int], ...] = ()
    """Antenna, from and until in seconds of the shift: it reads nothing meanwhile."""
    reboots_s: tuple[int, ...] = ()
    """Seconds of the shift at which it loses power: link, settings and uptime are gone."""
    silences_s: tuple[tuple[int, int], ...] = ()
    """From and until in seconds of the shift: the link stands half-open, nothing moves on it."""


class ShiftParameters(msgspec.Struct, frozen=True, kw_only=True):
    """What happens in one shift."""

    units: int = 2_000
    """Tagged units in the warehouse."""
    loads_per_door: int = 10
    """Loads at each of the two dock doors."""
    short_loads: int = 3
    """Loads that leave or arrive without one of their cases."""
    stranger_loads: int = 2
    """Loads with a case in them that is on no load."""
    over_loads: int = 2
    """Loads with more units than a line without identities allows."""
    wrong_door_loads: int = 2
    """Loads of which a cart takes the other door."""
    turned_back: int = 24
    """Carriers that turn back inside a gate, then pass later."""
    twice_at_rows: int = 5
    """Carts that go out and come in again within 5 s at the door whose order tells."""
    twice_elsewhere: int = 2
    """The same at the other door."""
    lingering_groups: int = 30
    """Groups of 1 to 4 tags that linger beside a door for minutes."""
    parked_pallets: int = 8
    """Pallets that are parked in a door's field before they pass."""
    carried_past: int = 14
    """Carts that are carried past the doors, not through."""
    hesitations_share: float = 0.1
    """Share of passages that wait a moment before the gate."""
    walk_slowest: float = 1.0
    """Walking, m/s."""
    walk_fastest: float = 2.0
    """Walking, m/s."""
    drive_slowest: float = 2.0
    """Forklift, m/s."""
    drive_fastest: float = 4.0
    """Forklift, m/s."""
    foreign_tags: int = 6
    """Tags of others, in clothes and on machines, that pass the inner gate or linger."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    signal: SignalParameters = SignalParameters()
    """Radio, tags and readers."""
    shift: ShiftParameters = ShiftParameters()
    """What happens."""
    readers: dict[str, ReaderParameters] = {}
    """Device to its own nature; the others are ordinary."""


DEFAULT = Scenario(
    readers={
        "door-1": ReaderParameters(clock_offset_us=-800_000, drift_ppm=50.0),
        "door-2": ReaderParameters(
            clock_offset_us=137_000_000, drift_ppm=-50.0, omit_unchanged=True
        ),
        "gate-3": ReaderParameters(protocol=1, utc_clock=False),
    }
)
"""The demo's: one clock far off, one reader that only knows its uptime and speaks LLRP 1.0.1,
one that omits what did not change."""


def with_settings(scenario: Scenario, settings: list[str]) -> Scenario:
    """The scenario with settings such as `read_rate=0.6` or `door-1.reboots_s=[300]`.

    A name without a device is one of the signal's or the shift's. Raises ValueError.
    """
    written = msgspec.to_builtins(scenario)
    for setting in settings:
        name, _, value = setting.partition("=")
        device, dot, own = name.partition(".")
        if dot and own in ReaderParameters.__struct_fields__:
            part = written["readers"].setdefault(device, {})
            name = own
        else:
            part = next((written[one] for one in ("signal", "shift") if name in written[one]), None)
        if part is None:
            known = sorted([*written["signal"], *written["shift"]])
            raise ValueError(f"no parameter {name!r}; there are {', '.join(known)}")
        try:
            part[name] = msgspec.json.decode(value.encode())
            scenario = msgspec.convert(written, Scenario)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{setting}: {error}") from error
    signal = scenario.signal
    if not 0 < signal.read_rate < signal.read_chance_max:
        raise ValueError(
            f"a mean read rate lies above 0 and below read_chance_max, which is"
            f" {signal.read_chance_max:g}: no tag answers more often; not {signal.read_rate:g}"
        )
    return scenario
