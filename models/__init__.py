"""What the caller's turn sounds like and says. Imports nothing else of this package."""
