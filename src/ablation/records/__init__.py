"""The records of runs: keys, the store, and the machine that made them."""
