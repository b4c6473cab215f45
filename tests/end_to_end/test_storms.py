"""Storms on the real programs: whatever is killed, paused or broken, nothing is lost or twice."""

from pathlib import Path

import pytest

from tallygate.servers.find import Kind
from tests.end_to_end.storm import Storm, weather

STORMS = {
    "killed_before": Storm(
        arm={
            "agent-dock": "before_spool:90:kill",
            "bridge": "before_produce:120:kill",
            "worker-1": "before_step:150:kill",
            "sink": "before_append:20:kill",
        }
    ),
    "killed_after": Storm(
        arm={
            "agent-dock": "after_spool:80:kill",
            "bridge": "after_produce:140:kill",
            "worker-1": "after_step:170:kill",
            "sink": "after_append:25:kill",
        },
        seed=2,
    ),
    "killed_at_the_ends": Storm(
        arm={
            "agent-dock": "between_antennas_2_and_3:3:kill",
            "bridge": "before_tick:90:kill",
            "worker-1": "before_output:190:kill",
            "sink": "after_commit:30:kill",
        },
        seed=3,
    ),
    "killed_after_the_word_was_given": Storm(
        arm={
            "agent-dock": "after_publish:90:kill",
            "worker-1": "after_output:160:kill",
            "sink": "after_acknowledge:25:kill",
        },
        seed=4,
    ),
    "broken_by_an_exception": Storm(arm={"worker-1": "after_step:150:raise"}, seed=5),
    "paused_in_the_middle": Storm(
        arm={
            "bridge": "before_produce:100:stop",
            "worker-1": "before_output:160:stop",
            "sink": "after_append:25:stop",
        },
        seed=6,
    ),
    "paused_at_the_ends": Storm(
        arm={
            "agent-dock": "after_spool:80:stop",
            "bridge": "after_produce:60:stop",
            "worker-1": "after_step:180:stop",
            "sink": "before_append:25:stop",
        },
        seed=7,
    ),
    "servers_killed": Storm(
        servers={Kind.MQTT: 16.0, Kind.KAFKA: 22.0, Kind.POSTGRES: 32.0}, seed=8
    ),
}


@pytest.mark.parametrize("name", STORMS)
async def test_a_storm_loses_nothing_and_doubles_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storm = STORMS[name]
    judgement, happened = await weather(storm, tmp_path)
    with capsys.disabled():
        print(f"\nstorm {name}, seed {storm.seed}:")  # noqa: T201
        for line in happened:
            print(f"  {line}")  # noqa: T201
        print(f"  {judgement.proof.spooled} reads in the spools")  # noqa: T201
    for program in storm.arm:
        assert any(line.startswith(program) for line in happened), f"{program} met no fault"
    assert judgement.proof.spooled > 5_000
    assert judgement.proof.lost == {}
    assert judgement.proof.twice == {}
    assert judgement.chain is not None
    assert judgement.chain.findings == ()
