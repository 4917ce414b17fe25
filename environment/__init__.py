"""What surrounds shoppers: weather and other measures by city, and the alerts that follow from them."""
