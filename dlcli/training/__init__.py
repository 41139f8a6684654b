"""The engine: forward, backward, step; no YAML, no files, no terminal, no component by name."""
