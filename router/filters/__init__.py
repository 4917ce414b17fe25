"""What must not be shown, one reason per file."""
