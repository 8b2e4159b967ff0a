"""Recordings and samples: opened, decoded, measured."""
