"""From one column to one tensor and back: one file per kind of field."""
