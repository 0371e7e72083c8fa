"""Generators that were trained elsewhere: latents to pictures, with weights read from their authors' files."""
