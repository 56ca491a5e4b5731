"""The expert's own process: it holds the keys, seals, signs, and checks every proof itself. It trusts no node."""
