"""Every claim about speed and memory, reproducible: `python -m benchmarks.NAME`."""
