"""Shared by all commands: settings, options, progress, and the files they read and write."""
