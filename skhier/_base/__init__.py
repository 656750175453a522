"""Foundations that every room shares: rows of data, image shapes, fitting, devices."""
