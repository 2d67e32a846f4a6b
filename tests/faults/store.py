"""Fault scenarios in which ClickHouse goes away, hangs, or loses its replies."""

import json
import urllib.request

from infra.process.ports import LOOPBACK
from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.proxy import SWALLOW
from tests.faults.trial import Trial


@fault("T07", layout=Layout(wall=True), limits=Limits(recovery=240.0))
def store_away(trial: Trial) -> None:
    """ClickHouse is killed (`kill -9`) and stays away; nothing may be committed, and the wall must turn stale."""
    plant = trial.plant
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.until(lambda: _fresh(plant.wall_port) is True, "a fresh wall")
        with trial.fault("ClickHouse is away"):
            plant.store.kill()
            trial.wait(8.0)  # what was stored before is committed within a checkpoint
            done = trial.done
            trial.wait(trial.size(full=592.0, quick=12.0))
            committed, fresh = trial.done - done, _fresh(plant.wall_port)
            plant.store.start()
        trial.at_work()
        patience = trial.size(full=240.0, quick=60.0)  # ten minutes of events are waiting
        trial.until(lambda: _fresh(plant.wall_port) is True, "a fresh wall again", patience)
    trial.expect("nothing was committed meanwhile", committed == 0, f"{committed} messages were")
    trial.expect("the wall was stale meanwhile", fresh is False, f"fresh: {fresh}")


@fault("T08", layout=Layout(store_proxy=True))
def replies_lost(trial: Trial) -> None:
    """ClickHouse stores the rows, but its replies are lost and the connection is cut, again and again."""
    proxy = trial.plant.store_proxy
    with trial.load(distortion="duplicates=5%,disorder=2s"), trial.fault("losing replies"):
        for _ in range(trial.size(full=40, quick=8)):
            proxy.conduct(replies=SWALLOW)
            before = proxy.swallowed
            trial.until(lambda before=before: proxy.swallowed > before, "a reply to lose")  # type: ignore[misc]  # a closure of this round
            trial.wait(trial.random.uniform(0.3, 0.8))  # some flushes at least
            proxy.pass_all()
            trial.wait(trial.random.uniform(0.5, 1.5))
    trial.note(f"{proxy.swallowed} bytes of replies lost")


def _fresh(port: int) -> bool | None:
    """Return whether the wall shows its figures as fresh; None when it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/snapshot.json", timeout=5) as answer:
            shown = json.load(answer)["beat"]["snapshot"]
    except OSError:
        return None
    return shown["store"] == "ok" and shown["age_ms"] is not None and not shown["stale"]
