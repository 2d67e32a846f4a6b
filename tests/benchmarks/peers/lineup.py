"""The list of all contenders, in the order in which they are shown."""

from typing import Final

from tests.benchmarks.peers.contender import Contender, in_own_environment
from tests.benchmarks.peers.contenders import gatepulse, kafka_streams

REFERENCE: Final = "gatepulse"

LINEUP: Final = (
    Contender("gatepulse", "gatepulse, everything stored", gatepulse.full),
    Contender("gatepulse-without-store", "gatepulse, rows thrown away", gatepulse.without_store),
    Contender("bytewax", "bytewax", in_own_environment("bytewax")),
    Contender("pathway", "Pathway", in_own_environment("pathway")),
    Contender("quix", "Quix Streams", in_own_environment("quix"), share=0.1),
    Contender("faust", "Faust as documented", in_own_environment("faust"), share=0.05),
    Contender("kafka-streams", "Kafka Streams (Java)", kafka_streams.start),
    Contender("bare", "bare loop (limit for Python)", in_own_environment("bare"), share=2),
)
