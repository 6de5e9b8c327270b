"""How many requests the organization's windows leave, in this process and in all of this machine."""
