"""The work behind the commands for training, labelling and evaluation."""
