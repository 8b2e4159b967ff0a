"""One call's state and inference, without any framework."""
