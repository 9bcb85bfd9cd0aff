"""Digests of plain data and of files."""

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(content: Any) -> str:
    """Digest plain data (mappings, lists, text, numbers): 32 hexadecimal digits, the same in any process."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Digest the bytes of a file: 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
