"""Parsers of the containers: size, orientation, byte ranges of the pixel data, declared colours."""
