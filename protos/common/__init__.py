"""What every Earth-observation contract shares: the Item message and its meaning in STAC."""
