"""The rim towards devices: each module moves one kind of device's bytes, deciding nothing."""
