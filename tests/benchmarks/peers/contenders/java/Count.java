import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.WindowStore;

/** Counts passages in minutes of event time, one store for each direction; answers as job.py says. */
public class Count {
    static final List<String> DIRECTIONS = List.of("in", "out");
    static final Duration MINUTE = Duration.ofMinutes(1);
    static final Duration LATE = Duration.ofDays(2);
    static final Duration KEPT = LATE.plus(MINUTE);
    static final ObjectMapper JSON = new ObjectMapper();
    static final ObjectReader PASSAGES = JSON.readerFor(Passage.class);

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Passage(String direction, String outcome, long ts) {}

    /** What is known of the run; there is one thread. */
    static final CountDownLatch done = new CountDownLatch(1);
    static volatile long events;
    static volatile double firstMs;
    static volatile double lastMs;

    /** Splits a message into events, and gives each its own time. */
    static class Split extends ContextualFixedKeyProcessor<String, byte[], Passage> {
        private final long expected;

        Split(long expected) {
            this.expected = expected;
        }

        @Override
        public void process(FixedKeyRecord<String, byte[]> message) {
            if (firstMs == 0) {
                firstMs = System.currentTimeMillis();
            }
            long split = events;
            try (var lines = PASSAGES.<Passage>readValues(message.value())) {
                while (lines.hasNextValue()) {
                    Passage passage = lines.nextValue();
                    context().forward(message.withValue(passage).withTimestamp(passage.ts()));
                    split++;
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            events = split;
            if (events == expected) { // forward() returns when everything behind it is done
                lastMs = System.currentTimeMillis();
                done.countDown();
            }
        }
    }

    static Topology topology(String topic, long expected) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Passage> passed = builder
            .stream(topic, Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .processValues(() -> new Split(expected))
            .filter((entrance, passage) -> passage.outcome().equals("passed"));
        for (String direction : DIRECTIONS) {
            passed.filter((entrance, passage) -> passage.direction().equals(direction))
                .mapValues(passage -> 1)
                .groupByKey(Grouped.with(Serdes.String(), Serdes.Integer()))
                .windowedBy(TimeWindows.ofSizeAndGrace(MINUTE, LATE))
                .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(direction)
                    .withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()).withRetention(KEPT));
        }
        return builder.build();
    }

    static List<List<Object>> counts(KafkaStreams streams) {
        List<List<Object>> counts = new ArrayList<>();
        for (String direction : DIRECTIONS) {
            var type = QueryableStoreTypes.<String, Long>windowStore();
            try (var windows = streams.store(StoreQueryParameters.fromNameAndType(direction, type)).all()) {
                windows.forEachRemaining(each ->
                    counts.add(List.of(each.key.key(), direction, each.key.window().start(), each.value)));
            }
        }
        return counts;
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode job = JSON.readTree(arguments[0]);
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, job.get("group").asText());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, job.get("brokers").asText());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, job.get("folder").asText() + "/state");
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20);
        settings.put("auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(
            topology(job.get("topic").asText(), job.get("events").asLong()), settings);
        streams.start();
        done.await();
        List<List<Object>> counts = counts(streams);
        System.out.println();
        System.out.println("{\"first_ms\": " + firstMs + ", \"last_ms\": " + lastMs + ", \"events\": " + events
            + ", \"counts\": " + JSON.writeValueAsString(counts) + "}");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
