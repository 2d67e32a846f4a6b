"""Fault scenarios with half-open connections: alive, but carrying nothing."""

from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.trial import Trial


@fault("T06", layout=Layout(broker_proxy=True), limits=Limits(recovery=180.0))
def broker_half_open(trial: Trial) -> None:
    """The workers' connections to Kafka stay open and carry nothing for 5 min; devices keep sending."""
    proxy = trial.plant.broker_proxy
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("connections to Kafka carry nothing"):
            proxy.black_hole()
            trial.wait(3.0)  # a commit that was on its way may still be confirmed
            done, lost = trial.done, proxy.swallowed
            trial.wait(trial.size(full=297.0, quick=17.0))
            committed, swallowed = trial.done - done, proxy.swallowed - lost
            proxy.pass_all()
        trial.at_work()
    trial.expect("nothing was committed meanwhile", committed == 0, f"{committed} messages were")
    trial.expect("workers tried meanwhile", True if swallowed else None, f"{swallowed} bytes lost")
