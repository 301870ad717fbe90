"""The recorded table of what every command does to every model; see ../table.py."""
