"""Variations of training examples, drawn anew in each epoch."""
