"""A study as data: schema, study file, variants, plan. Imports no torch."""
