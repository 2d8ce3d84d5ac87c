"""The commands, one module each; `cli/app.py` lists them and imports a module when it is used."""
