"""The commands of `python -m firmware_sim`, a file for each group."""
