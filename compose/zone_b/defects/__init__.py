"""Named defects: ways in which the reference services can be made to break their contract.

Imported only when `DEFI_DEFECTS` asks for it. `catalogue.toml` lists them, `install` puts them in.
"""
