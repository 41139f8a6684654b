"""Own code under --trust-code: runs it, and makes of it what built-in components are."""
