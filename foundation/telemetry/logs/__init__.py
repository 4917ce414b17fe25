"""Log lines: JSON, with the call they belong to, and without a shopper's id in clear."""
