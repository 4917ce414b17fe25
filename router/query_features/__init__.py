"""Query features: named values that are read once per request, for the components that name them."""
