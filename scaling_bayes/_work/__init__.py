"""How long work is carried out: in blocks, in processes, from a seed, with progress."""
