"""Assembles the other three: the command, recorded calls, the bot."""
