"""NumPy encoders shared by training and serving: history, profile, context."""
