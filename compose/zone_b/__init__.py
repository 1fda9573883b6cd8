"""Reference Zone B: small services that honour the contract for real."""
