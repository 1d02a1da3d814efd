"""What inner loops share."""
