"""What it does and how fast: each module prints a table and the command that reproduces it."""
