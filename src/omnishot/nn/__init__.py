"""Networks: an encoder per input, a fusion, a head. Everything here works under `torch.func` and twice differentiates."""
