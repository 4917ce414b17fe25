"""Models on Triton: their configurations and versions, and the server that runs them."""
