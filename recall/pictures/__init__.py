"""The index of pictures: an immutable part, what arrived since, and what was deleted since."""
