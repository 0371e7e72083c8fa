"""Distances between an original and a decoded picture, both 8-bit RGB; one idea a file."""
