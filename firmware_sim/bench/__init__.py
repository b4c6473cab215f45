"""The engineer's bench: every kind of device alone, for any client."""
