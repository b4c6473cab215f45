"""Who moves where: a carrier's way through the floor, and the tags that it carries.

Coordinates are metres. At a gate, x runs along the way and grows outward, y runs across, and the
gate's line is at x = 0. Both dock doors share one floor, so what one door's antennas hear of the
other door's goods follows from the same geometry. Times count microseconds of the shift, from 0.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from random import Random

from firmware_sim.core.dice import key_of
from firmware_sim.core.goods import Tag
from firmware_sim.parameters import SignalParameters

SECOND = 1_000_000
CELL = 0.1
"""Edge of the grid on which path gains are remembered, in metres."""
CELLS_ACROSS = 4096
"""Cells in one row of the grid: far more than a floor has."""


@dataclass(slots=True)
class Way:
    """Points that a carrier reaches at their times; between them it moves evenly."""

    at_us: list[int]
    x: list[float]
    y: list[float]
    walked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Measure the length from point to point."""
        total = 0.0
        self.walked = [0.0]
        for index in range(1, len(self.at_us)):
            across = self.x[index] - self.x[index - 1], self.y[index] - self.y[index - 1]
            total += (across[0] ** 2 + across[1] ** 2) ** 0.5
            self.walked.append(total)

    def place(self, at_us: int) -> tuple[float, float, float]:
        """Position at a time and the length of way until then."""
        index = bisect_right(self.at_us, at_us)
        if index == 0:
            return self.x[0], self.y[0], 0.0
        if index == len(self.at_us):
            return self.x[-1], self.y[-1], self.walked[-1]
        start = self.at_us[index - 1]
        part = (at_us - start) / (self.at_us[index] - start)
        return (
            self.x[index - 1] + part * (self.x[index] - self.x[index - 1]),
            self.y[index - 1] + part * (self.y[index] - self.y[index - 1]),
            self.walked[index - 1] + part * (self.walked[index] - self.walked[index - 1]),
        )

    def crossings(self, x: float) -> list[tuple[int, bool]]:
        """When the carrier's middle crosses a line across the way, and whether outward."""
        found = []
        for index in range(1, len(self.at_us)):
            before, after = self.x[index - 1] - x, self.x[index] - x
            if before == after or (before < 0) == (after < 0):
                continue
            part = before / (before - after)
            span = self.at_us[index] - self.at_us[index - 1]
            found.append((self.at_us[index - 1] + int(part * span), after > before))
        return found


@dataclass(slots=True, eq=False)
class Carried:
    """One tag on one carrier for one way: its luck of this passage."""

    tag: Tag
    track: Track
    key: int
    """Its dice."""
    chance: float
    """Read chance per antenna cycle when powered: the correlated factor."""
    cell: int
    """Where it lies on the carrier, as an offset in the grid."""
    across: float
    """Where it lies across, in metres."""
    depth: float
    """How deep it lies in the stack, seen from above: 0 on top, 1 at the bottom."""
    loss_db: float
    """What the item takes."""
    counts: list[int]
    """Reads in reports, by episode of the track."""
    unheard: list[int]
    """Reads that would have been but nobody listened, by episode."""


@dataclass(slots=True)
class Episode:
    """What a track means at one gate during part of its time: one line of the truth per tag."""

    gate: str
    kind: str
    """`passed`, `turned_back`, `lingered`, `crosstalk`."""
    direction: str | None
    at_us: int
    from_us: int
    until_us: int
    how: str = ""
    """What the carrier did: `parked`, `beside`, `carried_past`, `twice`, ..."""
    place: int = 0
    """Its index in the track."""


@dataclass(slots=True, eq=False)
class Track:
    """A carrier's way with its tags."""

    number: int
    floor: str
    """`dock` or `gate-3`: floors do not hear each other."""
    way: Way
    load: str | None
    body: tuple[float, float]
    """How far the carrier reaches behind and ahead of its goods' middle along x, in metres, as
    (towards inside, towards outside); what breaks a photo-eye's beam."""
    breaks_beams: bool
    episodes: list[Episode] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    dense: bool = False

    @property
    def from_us(self) -> int:
        """When it appears."""
        return self.way.at_us[0]

    @property
    def until_us(self) -> int:
        """When it is gone."""
        return self.way.at_us[-1]

    def episode(self, gate: str, at_us: int) -> int | None:
        """Which episode a read at a gate belongs to."""
        last = None
        for episode in self.episodes:
            if episode.gate == gate:
                last = episode.place
                if at_us <= episode.until_us:
                    break
        return last

    def add_episode(self, episode: Episode) -> None:
        """Append an episode; those of one gate come in order of time."""
        episode.place = len(self.episodes)
        self.episodes.append(episode)

    def load_tags(
        self, tags: list[Tag], *, signal: SignalParameters, seed: int, dice: Random
    ) -> None:
        """Put tags on the carrier and draw their luck for this way."""
        self.dense = len(tags) >= signal.dense_tags
        reach_along, reach_across = (0.55, 0.45) if self.dense else (0.35, 0.3)
        mean = signal.read_rate / signal.read_chance_max
        ordinary = mean * signal.chance_concentration
        other = signal.chance_concentration - ordinary
        for tag in tags:
            along = dice.uniform(-reach_along, reach_along)
            across = dice.uniform(-reach_across, reach_across)
            chance = signal.read_chance_max * dice.betavariate(ordinary, other)
            if self.dense and dice.random() < signal.shadow_share:
                chance = dice.uniform(signal.shadow_chance_min, signal.shadow_chance_max)
            carried = Carried(
                tag=tag,
                track=self,
                key=key_of(seed, self.number, tag.identity),
                chance=chance,
                cell=round(along / CELL) * CELLS_ACROSS + round(across / CELL),
                across=across,
                depth=dice.random(),
                loss_db=dice.uniform(signal.item_loss_min_db, signal.item_loss_max_db),
                counts=[0] * len(self.episodes),
                unheard=[0] * len(self.episodes),
            )
            self.carried.append(carried)
