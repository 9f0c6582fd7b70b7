"""Pictures of the layers of a model: read, laid out, and drawn as SVG, PNG and DOT."""
