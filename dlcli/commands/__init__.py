"""What each command does, as plain functions that Python users call too."""
