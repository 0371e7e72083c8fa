"""Integers to bytes: range coder, integer softmax, context tables; Elias codes and quantised vectors."""
