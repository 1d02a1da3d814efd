"""Networks: an encoder per input, a fusion, a head; all of it twice differentiable and fit for `torch.func`."""
