import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/** Prints a SHA-256 over the events of each case of a topic. Arguments: bootstrap servers, topic. */
public class CaseDigests {
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "enable.auto.commit", false);
        SortedMap<String, MessageDigest> cases = new TreeMap<>();
        Map<Integer, Long> stored = new HashMap<>();
        Set<Integer> held = new TreeSet<>();
        ObjectMapper json = new ObjectMapper();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo each : consumer.partitionsFor(arguments[1])) {
                partitions.add(new TopicPartition(each.topic(), each.partition()));
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    long position = json.readTree(record.value()).get("position").asLong();
                    long previous = Long.parseLong(new String(record.headers().lastHeader("previousposition").value()));
                    long last = stored.getOrDefault(record.partition(), 0L);
                    if (position <= last) {
                        continue; // delivered again
                    }
                    if (previous > last) {
                        held.add(record.partition()); // something before it is missing
                        continue;
                    }
                    held.remove(record.partition());
                    stored.put(record.partition(), position);
                    if (!cases.containsKey(record.key())) {
                        cases.put(record.key(), MessageDigest.getInstance("SHA-256"));
                    }
                    cases.get(record.key()).update(record.value());
                }
            }
        }
        if (!held.isEmpty()) {
            System.err.println("incomplete: " + held);
            System.exit(1);
        }
        cases.forEach((id, digest) -> System.out.println(id + " " + HexFormat.of().formatHex(digest.digest())));
    }
}
