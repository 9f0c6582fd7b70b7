"""The forms of gradients: how one is computed, where there is more than one answer."""
