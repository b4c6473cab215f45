"""The simulated world: pure, seeded, event by event. Time is an argument."""
