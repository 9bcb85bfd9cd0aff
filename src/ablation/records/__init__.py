"""The store of records, and the machine that made them."""
