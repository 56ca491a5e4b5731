"""Bytes in, meaning out: no IO, no clock, no randomness of its own. docs/protocol.md is the text of this package."""
