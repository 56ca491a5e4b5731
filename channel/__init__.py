"""The deconfliction channel: two parties exchange signed, sealed, logged messages. See docs/architecture.md."""

__version__ = "0.1.0"
