"""The command line, the embedded stack, and the servers that both start or find."""
