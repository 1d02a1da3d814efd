"""How the tasks of a meta-batch are run: plans, their choice, recorded CUDA graphs."""
