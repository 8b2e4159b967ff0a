"""A recorded call in, a decided call out."""
