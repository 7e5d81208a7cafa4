"""Where it is kept: one ledger over two engines. Knows the core and nothing else of ours."""
