"""Dense, Identity and Input."""
