"""Bluetooth Low Energy adverts: what beacons say, who they are, and reads made of them."""
