"""What can go wrong for a person at the command line; the message says what to do."""


class TallygateError(Exception):
    """Something that the person can mend; the message says how."""
