"""Records to tensors: sources, encoders, the split, and what a model is trained on."""
