"""Tools for developing verbalrl; not shipped."""
