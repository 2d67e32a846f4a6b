"""Fault scenario: the site profile changes while events come in, and workers restart."""

import json
import urllib.request
from pathlib import Path
from typing import Final

from infra.process.ports import LOOPBACK
from streams.site.reader import BUILTIN, load_site
from tests.faults.catalogue import Layout, fault
from tests.faults.trial import Trial

MOVED, FROM, TO = "N3-L10", "N3", "N4"
RENAMED, ADDED = "N5", "N6"
NAME: Final = "North gate five"
_STAYED: Final = ", ".join(f'"{TO}-L{lane:02}"' for lane in range(1, 9))
_NEW: Final = f"""
[[entrance]]
id = "{ADDED}"
title = {{ zh = "北6口", en = "North gate 6" }}
kind = "person"
outer = "outside"
inner = "venue"
zone = "Z-N"
lanes = 6
"""
_TITLE: Final = 'title = { zh = "北5口", en = "North gate 5" }'
_CHANGES: Final = (
    (f'id = "{FROM}"', "lanes = 10", "lanes = 9"),
    (f'id = "{TO}"', "lanes = 8", f'lanes = [{_STAYED}, "{MOVED}"]'),
    (f'id = "{RENAMED}"', _TITLE, _TITLE.replace("North gate 5", NAME)),
)
"""Behind which line the first place of which text becomes another."""
_WHERE: Final = """
SELECT epoch, entrance, count() FROM gatepulse.passages WHERE device = %(device)s GROUP BY ALL ORDER BY epoch
"""
_TOTALS: Final = """
SELECT entrance, sum(passages) FROM gatepulse.entrance_totals WHERE entrance IN %(entrances)s GROUP BY entrance
"""


@fault("T25", layout=Layout(scenario="expo", workers=2, wall=True))
def site_changed(trial: Trial) -> None:
    """An entrance is added, one renamed, and a lane moved to another: the profile changes between workers' restarts."""
    plant, seconds = trial.plant, trial.size(full=60.0, quick=6.0)
    path = plant.path / "expo-2.toml"
    path.write_text(_changed(BUILTIN / "expo.toml"))
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(seconds)
        with trial.fault("workers and wall start again, with another profile"):
            _restart(trial, path)
        trial.at_work()
        trial.wait(seconds)
    trial.until(lambda: trial.caught_up, "lag 0")
    before = _totals(trial)
    plant.site = load_site(path)  # from now on the devices are where the new profile has them
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(seconds)
    trial.until(lambda: trial.caught_up, "lag 0")
    _judge(trial, before)


def _restart(trial: Trial, path: Path) -> None:
    """Let all start again with another profile, one after the other, as a careful operator does it."""
    plant = trial.plant
    for process in (*plant.workers, *([plant.wall] if plant.wall else [])):
        process.stop()
        process.env["GATEPULSE_SITE"] = str(path)
        process.start()
        trial.wait(2.0)


def _judge(trial: Trial, before: dict[str, int]) -> None:
    reader = trial.plant.reader()
    try:
        moved = reader.query(_WHERE, {"device": MOVED})
    finally:
        reader.close()
    after = _totals(trial)
    epochs, entrances = [epoch for epoch, _, _ in moved], [entrance for _, entrance, _ in moved]
    stays = set(entrances[:-1]) == {FROM} and entrances[-1:] == [TO] and len(set(epochs)) == len(epochs)
    trial.expect("history keeps the old entrance of a moved lane", stays, f"{moved}")
    trial.expect("the new entrance counts", after.get(ADDED, 0) > before.get(ADDED, 0) == 0, f"{after}")
    on = all(after.get(each, 0) > before.get(each, 0) > 0 for each in (FROM, TO, RENAMED))
    trial.expect("the others count on", on, f"before {before}, after {after}")
    shown = _shown(trial.plant.wall_port, RENAMED)
    trial.expect("the wall has the new name", shown == NAME, f"{shown}")
    trial.note(
        f"{MOVED}: {', '.join(f'{n} at {entrance}' for _, entrance, n in moved)}; {after.get(ADDED, 0)} at {ADDED}"
    )


def _totals(trial: Trial) -> dict[str, int]:
    reader = trial.plant.reader()
    try:
        rows = reader.query(_TOTALS, {"entrances": (FROM, TO, RENAMED, ADDED)})
    finally:
        reader.close()
    return {str(entrance): int(passages) for entrance, passages in rows}


def _shown(port: int, entrance: str) -> str:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/snapshot.json", timeout=5) as answer:
        return str(json.load(answer)["site"]["entrances"][entrance]["title"]["en"])


def _changed(profile: Path) -> str:
    """Return the profile with all changes, and the new entrance before the first one."""
    text = profile.read_text(encoding="utf-8")
    for entrance, old, new in _CHANGES:
        head, found, tail = text.partition(f"{entrance}\n")
        if not found or old not in tail:
            raise ValueError(f"{profile}: '{old}' does not follow '{entrance}'; change _CHANGES as the profile was")
        text = head + found + tail.replace(old, new, 1)
    return text.replace("\n[[entrance]]\n", f"{_NEW}\n[[entrance]]\n", 1)
