"""Make a classifier of your own: data, augmentation, training, export."""
