"""Floor 3: what is durable. Logs on a store, the signing journal, the signer, and recovery after a crash."""
