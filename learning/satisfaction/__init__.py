"""What shoppers say: received, asked for, and reported."""
