"""The tracks of one shift as they are planned: every carrier enters the world through here."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from firmware_sim.core import carriers
from firmware_sim.core.dice import stream
from firmware_sim.core.goods import Tag
from firmware_sim.core.layout import LANES
from firmware_sim.core.tracks import SECOND, Episode, Track, Way
from firmware_sim.parameters import Scenario

FLOOR_OF = {"door-1": "dock", "door-2": "dock", "gate-3": "gate-3"}
DOORS = ("door-1", "door-2")
EMPTY_RETURN_S = (6.0, 14.0)
"""A truck that brought something through comes back empty after so many seconds."""


@dataclass(slots=True)
class Floor:
    """Adds carriers; each method returns when the carrier is done, in microseconds."""

    seed: int
    scenario: Scenario
    tracks: list[Track] = field(default_factory=list)

    def dice(self, *purpose: str | int) -> Random:
        """Dice for one purpose."""
        return stream(self.seed, *purpose)

    def through(
        self, gate: str, start_us: int, tags: list[Tag], *, outward: bool, truck: bool, load: str
    ) -> tuple[int, int]:
        """A carrier through a gate; when it crosses the line, and when it is done."""
        dice = self.dice("through", len(self.tracks))
        mover = carriers.mover(dice, self.scenario.shift, truck=truck)
        hesitate = dice.random() < self.scenario.shift.hesitations_share
        way = carriers.through(
            dice, start_us, LANES[gate], mover, outward=outward, hesitate=hesitate
        )
        body = carriers.body_of(mover, outward=outward)
        at_us = way.crossings(0.0)[0][0]
        episode = Episode(gate, "passed", _direction(outward), at_us, way.at_us[0], way.at_us[-1])
        self._add(gate, way, tags, load, body, [episode])
        done_us = way.at_us[-1]
        if truck:
            pause_us = int(dice.uniform(*EMPTY_RETURN_S) * SECOND)
            done_us = self._empty(gate, done_us + pause_us, dice, outward=not outward)
        return at_us, done_us

    def turned_back(
        self, gate: str, start_us: int, tags: list[Tag], *, outward: bool, truck: bool, load: str
    ) -> int:
        """A carrier that turns back inside the gate."""
        dice = self.dice("turned back", len(self.tracks))
        mover = carriers.mover(dice, self.scenario.shift, truck=truck)
        way = carriers.turned_back(dice, start_us, LANES[gate], mover, outward=outward)
        episode = Episode(
            gate, "turned_back", None, way.at_us[1], way.at_us[0], way.at_us[-1], "turned_back"
        )
        self._add(gate, way, tags, load, carriers.body_of(mover, outward=outward), [episode])
        return way.at_us[-1]

    def out_and_in(self, gate: str, start_us: int, tags: list[Tag], *, load: str) -> int:
        """A cart that goes out and comes in again within 5 s."""
        dice = self.dice("twice", len(self.tracks))
        way, turn_us = carriers.out_and_in(dice, start_us, LANES[gate], dice.uniform(1.5, 2.0))
        (out_us, _), (in_us, _) = way.crossings(0.0)
        episodes = [
            Episode(gate, "passed", "out", out_us, way.at_us[0], turn_us, "twice"),
            Episode(gate, "passed", "in", in_us, turn_us + 1, way.at_us[-1], "twice"),
        ]
        body = carriers.body_of(carriers.Mover(False, 1.5), outward=True)
        self._add(gate, way, tags, load, body, episodes)
        return way.at_us[-1]

    def rests(
        self, gate: str, start_us: int, until_us: int, tags: list[Tag], x: float, y: float, how: str
    ) -> None:
        """Goods that rest near a gate; x and y are measured from the gate's middle."""
        dice = self.dice("rests", len(self.tracks))
        way = carriers.beside(dice, start_us, until_us - start_us, x, LANES[gate] + y)
        episode = Episode(
            gate, "lingered", None, (start_us + until_us) // 2, start_us, until_us, how
        )
        self._add(gate, way, tags, None, (0.6, 0.6), [episode], breaks_beams=False)

    def carried_past(self, start_us: int, tags: list[Tag]) -> None:
        """A cart past both doors, inside."""
        dice = self.dice("past", len(self.tracks))
        speed = carriers.mover(dice, self.scenario.shift, truck=False).speed
        way = carriers.past(dice, start_us, speed, dice.uniform(-4.5, -2.3))
        middle_us = (way.at_us[0] + way.at_us[-1]) // 2
        episodes = [
            Episode(door, "lingered", None, middle_us, way.at_us[0], way.at_us[-1], "carried_past")
            for door in DOORS
        ]
        self._add(None, way, tags, None, (0.6, 0.6), episodes, breaks_beams=False)

    def _empty(self, gate: str, start_us: int, dice: Random, *, outward: bool) -> int:
        mover = carriers.mover(dice, self.scenario.shift, truck=True)
        way = carriers.through(dice, start_us, LANES[gate], mover, outward=outward, hesitate=False)
        self._add(gate, way, [], None, carriers.body_of(mover, outward=outward), [])
        return way.at_us[-1]

    def _add(
        self,
        gate: str | None,
        way: Way,
        tags: list[Tag],
        load: str | None,
        body: tuple[float, float],
        episodes: list[Episode],
        *,
        breaks_beams: bool = True,
    ) -> None:
        floor = "dock" if gate is None else FLOOR_OF[gate]
        track = Track(len(self.tracks), floor, way, load or None, body, breaks_beams)
        for episode in episodes:
            track.add_episode(episode)
        if floor == "dock" and tags:
            for door in DOORS:
                if all(episode.gate != door for episode in episodes):
                    self._stray(track, door, episodes[0])
        track.load_tags(
            tags,
            signal=self.scenario.signal,
            seed=self.seed,
            dice=self.dice("carried", track.number),
        )
        self.tracks.append(track)

    def _stray(self, track: Track, door: str, cause: Episode) -> None:
        """What the other door may hear of it."""
        kind = "lingered" if cause.kind == "lingered" else "crosstalk"
        how = cause.how or "passed_next_door"
        track.add_episode(
            Episode(door, kind, None, cause.at_us, track.from_us, track.until_us, how)
        )


def _direction(outward: bool) -> str:
    return "out" if outward else "in"
