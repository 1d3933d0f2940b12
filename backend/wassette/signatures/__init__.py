"""Who signed a component, and whether it still comes from whom it came from before."""
