"""Measurements behind the speeds that verbalrl claims; each module is one, with a `main()`."""
