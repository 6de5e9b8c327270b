"""The commands: click and nothing but click, one file per command."""
