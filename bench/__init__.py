"""The benchmarks: what it costs to keep the promises, each measured beside its own floor in one run."""
