"""The same works by other programs, one file each; run as `python -m benchmarks.peers.NAME`."""
