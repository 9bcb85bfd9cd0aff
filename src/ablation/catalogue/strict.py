"""How entries of the catalogue are read from a table of an author's own."""

STRICT = {"extra": "forbid"}  # what pydantic is told of a dataclass: a key that nobody reads is a mistake
