"""What the command line of `devices` means: a scenario, and the clock that it runs on."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from contracts.clock import REAL_TIME, ClockSetting, clock_from_text
from firmware_sim.bench.faults import FaultError, read_timed_fault
from firmware_sim.bench.links.make import NEEDS
from firmware_sim.bench.registry import UnknownKindError, kind_named
from firmware_sim.bench.scenario import ScenarioFile, load_scenario, scenario_from


class Refused(Exception):  # noqa: N818 - not an error of ours.
    """What was asked cannot be done; the message says all that is wrong."""


def scenario_of(options: argparse.Namespace) -> ScenarioFile:
    """What the file or the command line says. Raises Refused."""
    if options.scenario is None:
        return _alone(options)
    if options.name is not None:
        raise Refused("either NAME or --scenario FILE, not both")
    of_one = ("device", "rate", "things", "host", "port", "serial", "bus", "fault")
    if wrong := [f"--{name}" for name in of_one if getattr(options, name)]:
        raise Refused(f"{', '.join(wrong)}: write that into the scenario")
    found = load_scenario(options.scenario)
    if isinstance(found, list):
        raise Refused("\n".join(found))
    over = {
        name: getattr(options, name)
        for name in ("seed", "speed", "seconds", "mqtt", "ca")
        if getattr(options, name) is not None
    }
    return _checked(found.model_dump(exclude_unset=True) | over)


def _alone(options: argparse.Namespace) -> ScenarioFile:
    """One device, from the command line."""
    if options.name is None:
        raise Refused("which device? --list names the kinds, --scenario FILE starts several")
    try:
        kind = kind_named(options.name)
        faults = [read_timed_fault(text) for text in options.fault]
    except (UnknownKindError, FaultError) as error:
        raise Refused(str(error)) from error
    device: dict[str, Any] = {"id": options.device or kind.name, "kind": kind.name}
    having = NEEDS[kind.link]
    for name in ("host", "port", "mqtt", "ca", "serial", "bus"):
        value = getattr(options, name)
        if value is None:
            continue
        if name not in having:
            words = ", ".join(f"--{one}" for one in sorted(having))
            raise Refused(f"{kind.name} has no --{name}: its link is {kind.link}, with {words}")
        device[name] = value
    traffic = {"rate_per_s": options.rate, "things": options.things}
    if given := {name: value for name, value in traffic.items() if value is not None}:
        device["traffic"] = given
    device["faults"] = [{"at_s": one.at_s, "fault": one.fault.text} for one in faults]
    whole: dict[str, Any] = {"devices": [device]}
    for name in ("seed", "speed", "seconds"):
        if getattr(options, name) is not None:
            whole[name] = getattr(options, name)
    return _checked(whole)


def _checked(written: dict[str, Any]) -> ScenarioFile:
    found = scenario_from(written, {})
    if isinstance(found, ScenarioFile):
        return found
    words = (mistake.text().removeprefix("devices[0].") for mistake in found)
    raise Refused("\n".join(word.removeprefix("traffic.") for word in words))


def clock_of(scenario: ScenarioFile) -> tuple[ClockSetting, int]:
    """The clock that the stack shares, or one of our own, and the beginning. Raises Refused."""
    wall_us = time.time_ns() // 1000
    try:
        shared = clock_from_text(os.environ.get("TALLYGATE_CLOCK", ""))
    except ValueError as error:
        raise Refused(f"TALLYGATE_CLOCK: {error}") from error
    if shared != REAL_TIME:
        return shared, shared.domain_us(wall_us)
    if scenario.speed == 1:
        return REAL_TIME, wall_us
    clock = ClockSetting(wall_anchor_us=wall_us, domain_anchor_us=wall_us, speed=scenario.speed)
    return clock, wall_us
