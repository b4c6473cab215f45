"""How devices on the bench reach their clients: bytes are moved here, and nothing is decided."""
