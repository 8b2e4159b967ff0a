"""What `deescalate bench` measures."""
