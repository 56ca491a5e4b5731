"""A person's desk: what it says and does at a post, and its page, served on loopback by the process that holds the keys."""
