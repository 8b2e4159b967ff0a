"""The demo: a voice bot that needs no keys, on a web page, on the terminal or behind a phone."""
