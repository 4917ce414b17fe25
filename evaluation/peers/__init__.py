"""Published methods of a few lines each, as peers of the pages that Shopfront serves."""
