"""What the records say: tables of runs, contrasts and claims."""
