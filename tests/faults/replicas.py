"""Fault scenarios with replicated brokers, one of which is lost."""

from streams.contract import topics
from streams.settings import KafkaSettings
from tests.faults.catalogue import Layout, fault
from tests.faults.plant import GROUP, PARTITIONS
from tests.faults.trial import Trial

_BROKERS = 3


@fault("T05r", layout=Layout(brokers=_BROKERS))
def broker_of_three_killed(trial: Trial) -> None:
    """One of three brokers is killed (`kill -9`) and comes back, then another; meanwhile the others continue."""
    found, _ = topics.inspect_topics(KafkaSettings(brokers=trial.plant.bootstrap, group=GROUP, partitions=PARTITIONS))
    brokers = trial.random.sample(trial.plant.brokers, trial.size(full=_BROKERS, quick=1))
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        for broker in brokers:
            with trial.fault(f"{broker.name} is killed"):
                broker.kill()
                trial.at_work()  # without it
                trial.wait(trial.size(full=30.0, quick=6.0))
                broker.start()
            trial.at_work()
            trial.wait(trial.size(full=20.0, quick=2.0))  # it takes what it missed before the next one goes
    copies = {each.copies for each in found}
    trial.expect("everything is kept three times", copies == {_BROKERS}, f"{copies}")
    trial.note(f"killed: {', '.join(broker.name for broker in brokers)}")
