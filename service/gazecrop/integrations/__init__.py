"""Gazecrop inside other systems: one file for each, which imports that system and nothing else of the outside.

None is loaded by `import gazecrop`. Those that ask the service over HTTP need no dependency of the package then: in the
other system's environment `pip install --no-deps` is enough.
"""
