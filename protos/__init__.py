"""gRPC contracts (`shopfront/v1/*.proto`) and the Python generated from them by `make protos`."""
