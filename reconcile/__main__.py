"""`python -m reconcile`."""

from reconcile.cli.main import main

main(prog_name="reconcile")
