"""Shipped scenarios, cycles, vehicles and surrogates."""
