"""What operators look at in a running router: pages explained, items, shoppers, scenes, counts, reports."""
