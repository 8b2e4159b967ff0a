"""What the commands of training, labelling and evaluation do."""
