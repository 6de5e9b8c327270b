"""The run as a workbook, whose figures are formulas over its own rows."""
