"""The pure middle: bytes, reads and the time come in as arguments, entries and evidence go out."""
