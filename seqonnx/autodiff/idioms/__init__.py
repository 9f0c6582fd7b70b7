"""The turns of phrase that gradient rules share: sizes, windows, products, places, Scans."""
