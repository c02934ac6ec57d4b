"""What command-line programs share: settings, options, progress, and the files they read and write."""
