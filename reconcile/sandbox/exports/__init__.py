"""The exports of the sandbox: plans, files, and the storage that serves them."""
