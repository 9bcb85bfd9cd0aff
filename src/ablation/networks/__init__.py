"""Networks in torch: the kit of layers, the families, and what is known of a network without training it."""
