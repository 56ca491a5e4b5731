"""The commands. ``terminal`` is the only file that prints; every other file here holds one group of commands."""
