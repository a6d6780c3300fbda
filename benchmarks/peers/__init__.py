"""Other active-learning tools on ProbAL's own bench: same vectors, seeds, batches and measures."""
