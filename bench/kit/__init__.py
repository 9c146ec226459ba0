"""What the benchmarks share: databases, processes, load, vendors and samples."""
