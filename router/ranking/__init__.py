"""Models on Triton: the scorer of ranking and prerank, and the shopper's interests for recall."""
