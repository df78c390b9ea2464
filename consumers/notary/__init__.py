"""What auditors live on: a Merkle log over the stored bytes, signed checkpoints, proofs, and tools that doubt us."""
