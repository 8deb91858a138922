"""Terms of the objective; each maps tensors to one scalar."""
