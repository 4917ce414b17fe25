"""The scene file as operators edit it: key by key or as text, with a preview, a history and the way back."""
