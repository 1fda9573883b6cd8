"""The G4 gate: fuzzed rounds on an EVM node, held against arithmetic of our own."""
