"""Byte budget to grain map, by measured benefit per bit."""
