"""What serving saw of each impression, with what the shopper did: the feature log joined with the events."""
