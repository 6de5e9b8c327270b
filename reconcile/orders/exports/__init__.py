"""Order totals by Commerce Layer's own exports: cut into slices, fetched, proved complete, published."""
