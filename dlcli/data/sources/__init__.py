"""Where records come from: one file per data name, and the file formats they read."""
