"""Scenes: what each placement on a page is made of, in one validated file that reloads without a restart."""
