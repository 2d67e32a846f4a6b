"""Fault scenarios in which Kafka goes away."""

from tests.faults.catalogue import fault
from tests.faults.trial import Trial


@fault("T05")
def broker_away(trial: Trial) -> None:
    """Kafka is stopped for 30 s, comes back, and is then killed (`kill -9`) for 30 s."""
    broker, away = trial.plant.broker, trial.size(full=30.0, quick=5.0)
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("Kafka is stopped"):
            broker.stop()
            trial.wait(away)
            broker.start()
        trial.at_work()
        with trial.fault("Kafka is killed"):
            broker.kill()
            trial.wait(away)
            broker.start()
        trial.at_work()
