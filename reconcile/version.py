"""The version of this program, as a run's record and its reports name it."""

__version__ = "0.1.0"
