"""The ledger of published numbers, and studies held against it."""
