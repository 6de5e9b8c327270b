"""Reconcile Commerce Layer klarna_payments with exported order totals."""

__version__ = "0.1.0"
