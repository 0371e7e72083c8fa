"""Training: recipes, networks, losses, the loop, and export to bundles. Needs the extra [train]."""
