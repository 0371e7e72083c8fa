"""Integers to bytes: range coder, integer softmax, context tables."""
