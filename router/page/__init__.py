"""The page: what several scenes that are shown together show, and the slots that are drawn at random."""
