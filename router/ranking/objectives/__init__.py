"""What a scene's value is made of: chances of a click and of a purchase after it, by scene, and the price."""
