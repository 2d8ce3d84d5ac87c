"""The recorded comparison with other learning loops; not part of `make bench`. See README.md."""
