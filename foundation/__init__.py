"""What rooms of every height need: storage engines, telemetry and statistics; knows nothing of shops."""
