"""How far a decoded picture is from its original, both 8-bit sRGB; one metric a file."""
