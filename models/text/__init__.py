"""What the caller's words say: sentiment, requests for a human, cues."""
