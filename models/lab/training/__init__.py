"""Train classifiers of your own: from labelled clips or texts to a model file."""
