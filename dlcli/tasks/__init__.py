"""Tasks: what is learned, what may measure it, and what an answer is."""
