"""What every room uses: files, locks, digests, seeds of random streams, references to code, formatting."""
