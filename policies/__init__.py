"""Pure decisions about a call, and their effects."""
