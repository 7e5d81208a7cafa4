"""What the wires say: one folder per contract, all of the same shape. They know the core and nothing else of ours."""
