"""The desk in a browser: what a person at a seat is shown and does, without a terminal."""
