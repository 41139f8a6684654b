"""Metrics: folds over batches of answers and targets, exact over any batching."""
