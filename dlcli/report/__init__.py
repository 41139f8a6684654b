"""What a person sees of a run: tables, pictures and sentences."""
