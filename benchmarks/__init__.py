"""Measured ratios: each figure against a floor or a peer in the same run, on this machine."""
