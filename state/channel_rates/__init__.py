"""How well each recall channel's items do with shoppers: what is published, and what shares become."""
