"""What every room uses: files, locks, digests, random streams, formatting."""
