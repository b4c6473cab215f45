"""The pure part: no clock, socket, dice or database; times and bytes are arguments."""
