"""What the shopper is looking for (query, category, brand, prices), and which items fit it."""
