"""The desk as a page: served on loopback by the expert's own process, which holds the keys."""
