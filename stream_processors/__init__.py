"""What the reads mean: the bridge from MQTT to Kafka, and the workers that understand the log."""
