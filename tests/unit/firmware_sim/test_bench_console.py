"""What is typed at the bench, what is answered, and what the live view shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from contracts.clock import REAL_TIME
from firmware_sim.__main__ import command_parser
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.console import Quit, answer
from firmware_sim.bench.live import LiveView
from firmware_sim.bench.registry import KINDS
from firmware_sim.bench.scenario import ScenarioFile, scenario_from
from firmware_sim.commands.device_main import kinds_table
from firmware_sim.commands.device_options import Refused, scenario_of
from firmware_sim.commands.device_work import connect_text

COLUMNS_MAX = 100


def bench(*kinds: str) -> Bench:
    tables = [
        {"id": f"d-{number}", "kind": kind, "port": 0}
        if kind != "ble"
        else {"id": "b", "kind": kind}
        for number, kind in enumerate(kinds, start=1)
    ]
    scenario = scenario_from({"devices": tables}, {})
    assert isinstance(scenario, ScenarioFile), scenario
    return Bench(scenario, REAL_TIME, start_us=1_772_438_400_000_000, count=50)


def test_a_fault_is_for_all_devices_or_for_the_one_that_is_named() -> None:
    rigs = bench("scanner", "llrp-generic").rigs
    assert answer(rigs, "freeze 5") == ["d-1: freeze 5", "d-2: freeze 5"]
    assert answer(rigs, "d-2 antenna 2 lost\n") == ["d-2: antenna 2 lost"]
    assert rigs[1].active_faults() == ["frozen 5 s", "antenna 2 lost"]
    assert rigs[0].active_faults() == ["frozen 5 s"]


def test_what_a_device_cannot_have_is_said() -> None:
    rigs = bench("scanner", "llrp-generic").rigs
    assert answer(rigs, "antenna 9 lost") == [
        "d-1: a device of kind scanner cannot lose antenna 9: it has none of that number",
        "d-2: a device of kind llrp-generic cannot lose antenna 9: it has none of that number",
    ]
    assert answer(rigs[:1], "clock +30") == [
        "d-1: a device of kind scanner cannot have a wrong clock: it tells no time"
    ]


def test_an_antenna_that_is_back_is_no_fault_any_more() -> None:
    rigs = bench("llrp-generic").rigs
    answer(rigs, "antenna 2 lost")
    answer(rigs, "clock +30")
    answer(rigs, "antenna 2 back")
    assert rigs[0].active_faults() == ["clock +30"]


def test_what_is_not_understood_is_answered_with_what_would_be() -> None:
    assert answer(bench("scanner").rigs, "freze 5") == [
        "'freze' is no fault; did you mean 'freeze'?; 'help' shows all"
    ]
    assert answer(bench("scanner").rigs, "\n") == []


def test_help_status_and_quit_are_there() -> None:
    rigs = bench("scanner", "llrp-generic").rigs
    assert any("freeze SECONDS" in line for line in answer(rigs, "help"))
    assert "d-1 freeze 5" in answer(rigs, "help")[-1]
    assert max(map(len, answer(rigs, "help"))) <= 80
    assert answer(rigs, "status")[0] == (
        "d-1: closed, 0 clients, 0 passed, 0 messages told, 0 unheard"
    )
    assert answer(rigs, "d-2") == answer(rigs, "status")[1:]
    with pytest.raises(Quit):
        answer(rigs, "quit")


def shown(view: LiveView) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(view.render())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_live_view_fits_80_columns_and_shows_what_is_typed() -> None:
    what = bench("scanner", "llrp-impinj", "ble")
    view = LiveView(what)
    what.rigs[0].figures.last_identity = "https://id.gs1.org/01/00614141108237/21/" + "9" * 60
    what.rigs[0].link.state = "no connection: Connect call failed ('127.0.0.1', 9101)"
    view.type("d-2 antenna 2 lost\rfreexe\x7f\x7fze 5")
    lines = shown(view)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["device", "link", "clients", "reads/s", "said", "last"]
    assert lines[1].startswith("d-1")
    assert "01/00614141108237/21/9" in lines[1]
    assert "d-2: antenna 2 lost" in "\n".join(lines)
    assert lines[-1].strip() == "> freeze 5"
    with pytest.raises(Quit):
        view.type("\rquit\r")


def test_the_list_of_kinds_fits_the_screen_and_names_each_with_its_format() -> None:
    text = kinds_table()
    assert max(map(len, text.splitlines())) <= COLUMNS_MAX
    squeezed = " ".join(text.split())
    for kind in KINDS.values():
        assert f" {kind.name} {kind.link} {kind.format}" in squeezed


@pytest.mark.parametrize(
    "words", [[], ["devices"], ["record"], ["replay"], ["run"], ["llrp"], ["scanner"]]
)
def test_help_fits_the_screen(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_parser().parse_args([*words, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= COLUMNS_MAX


def options_of(*words: str) -> ScenarioFile:
    return scenario_of(command_parser().parse_args(["devices", *words]))


def test_the_command_line_becomes_a_scenario() -> None:
    found = options_of(
        *("scanner", "--device", "conveyor", "--port", "7", "--rate", "50", "--seed", "9"),
        *("--fault", "at 10s freeze 5s", "--fault", "drop"),
    )
    assert found.seed == 9
    (device,) = found.devices
    assert (device.id, device.kind, device.port) == ("conveyor", "scanner", 7)
    assert device.traffic is not None
    assert device.traffic.rate_per_s == 50
    assert [(one.at_s, one.fault) for one in device.faults] == [(10, "freeze 5s"), (0, "drop")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "which device? --list names the kinds"),
        (("scaner",), "'scaner' is no kind of device; did you mean scanner"),
        (("scanner", "--mqtt", "x"), "scanner has no --mqtt: its link is tcp_server, with"),
        (("impinj", "--port", "5"), "impinj has no --port: its link is mqtt, with --ca, --mqtt"),
        (("scanner", "--fault", "freze 5"), "'freze' is no fault; did you mean 'freeze'?"),
        (("scanner", "--port", "70000"), "port: 70000: must be less than or equal to 65535"),
        (("scanner", "--rate", "0"), "rate_per_s: 0.0: must be greater than 0"),
        (("scanner", "--speed", "0.5"), "speed: 0.5: must be greater than or equal to 1"),
        (("scanner", "--device", "a b"), "id: 'a b': must be 1 to 64 letters"),
        (("scanner", "--scenario", "x.toml"), "either NAME or --scenario FILE, not both"),
        (("--scenario", "x.toml", "--port", "1"), "--port: write that into the scenario"),
        (("--scenario", "none.toml"), "none.toml cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(Refused) as caught:
        options_of(*words)
    assert told in str(caught.value)


async def test_how_to_connect_is_said_with_the_site_file() -> None:
    what = bench("scanner", "llrp-impinj")
    await what.open()
    try:
        text = connect_text(what, None)
    finally:
        await what.close()
    assert f"listens on {what.rigs[0].link.address}" in text
    assert what.site_text().strip() in text
    assert "python -m edge_agent run --site site.toml --gateway bench --data spool" in text
    assert ":0\n" not in text
