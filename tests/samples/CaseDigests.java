import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/** Prints a SHA-256 over the events of each case of a topic. Arguments: bootstrap servers, topic. */
public class CaseDigests {
    /** Position, and that of the record before it in its partition; null: the record is not of the chain. */
    static long[] link(ConsumerRecord<String, byte[]> record) {
        try {
            var position = new ObjectMapper().readTree(record.value()).get("position");
            long previous = Long.parseLong(new String(record.headers().lastHeader("previousposition").value()));
            boolean ours = position.canConvertToLong() && previous >= 0 && previous < position.asLong();
            return ours && position.isIntegralNumber() ? new long[] {position.asLong(), previous} : null;
        } catch (java.io.IOException | RuntimeException none) {
            return null;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "enable.auto.commit", false);
        SortedMap<String, MessageDigest> cases = new TreeMap<>();
        Map<Integer, Long> stored = new HashMap<>();
        Set<Integer> held = new TreeSet<>();
        int others = 0;
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(arguments[1]).forEach(p -> partitions.add(new TopicPartition(p.topic(), p.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    long[] link = link(record);
                    long last = stored.getOrDefault(record.partition(), 0L);
                    if (link == null) {
                        others++; // not ours
                    } else if (link[1] > last) {
                        held.add(record.partition()); // something before it is missing
                    } else if (link[0] > last) { // else it was delivered again
                        held.remove(record.partition());
                        stored.put(record.partition(), link[0]);
                        cases.putIfAbsent(record.key(), MessageDigest.getInstance("SHA-256"));
                        cases.get(record.key()).update(record.value());
                    }
                }
            }
        }
        if (!held.isEmpty()) {
            System.err.println("incomplete: " + held);
            System.exit(1);
        }
        System.err.println("stepped over " + others + " records that are not ours");
        cases.forEach((id, digest) -> System.out.println(id + " " + HexFormat.of().formatHex(digest.digest())));
    }
}
