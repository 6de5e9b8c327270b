"""
The notebooks, executed in a kernel of their own; `make docs` writes what they show.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(notebook: Path, workplace: Path) -> nbformat.NotebookNode:
    """Return `notebook` with what its cells show, executed beside a copy of the sample data."""
    folder = workplace / "notebooks"
    shutil.copytree(ROOT / "sample_data", workplace / "sample_data")
    folder.mkdir()
    node = nbformat.read(notebook, as_version=4)
    NotebookClient(node, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    for cell in node.cells:
        cell.metadata.pop("execution", None)  # when it ran
    return node


if __name__ == "__main__":
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as place:
            nbformat.write(executed(path, Path(place)), path)
