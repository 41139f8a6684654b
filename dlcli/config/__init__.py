"""The YAML language: one options class per section and component, and how a file is read."""
