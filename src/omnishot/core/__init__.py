"""The foundation of all other packages: registries, options, storage on disk, ranks, memory."""
