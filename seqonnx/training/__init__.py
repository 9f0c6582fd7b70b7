"""Training: the step graph, its state on the device, batches and the loops."""
