"""What a user holds: the fit, how it is made, kept and summed up."""
