"""Named random streams: every random choice draws from a generator named by its seed, its purpose and its place.

So a variant shares with its baseline whatever its factor does not touch, a resumed run continues as if nothing had
happened, and what one run draws never depends on what ran before it in the same process.
"""

import hashlib


def stream_seed(seed: int, *name: str | int) -> int:
    """Derive the seed of the stream `name` of the replicate `seed`: 63 bits that share nothing with any other name."""
    text = "\x1f".join(str(part) for part in (seed, *name))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
