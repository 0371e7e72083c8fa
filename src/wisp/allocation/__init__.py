"""Byte budget to grain map, by benefit per bit."""
