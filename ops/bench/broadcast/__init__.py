"""The yardstick in C: a bare broadcaster, and a meter that costs the same whatever it measures."""
