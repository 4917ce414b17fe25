"""What is learned from what shoppers do and say."""
