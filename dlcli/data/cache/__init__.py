"""What took long to prepare, kept on disk beside its key; knows no kind of data, no torch."""
