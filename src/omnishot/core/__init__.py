"""What everything stands on: registries, options, storage on disk, ranks, memory."""
