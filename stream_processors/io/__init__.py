"""The rims: MQTT, Kafka, Postgres and Faust. They move bytes and wait; they decide nothing."""
