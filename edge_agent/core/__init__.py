"""All that the edge agent decides; time and bytes are arguments, no clock or socket is held."""
