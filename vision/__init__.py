"""Pictures: decoded safely, encoded once, grouped where nearly identical, and searched by photo."""
