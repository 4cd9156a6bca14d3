"""From labelled images to weights: recipes, augmentation, the trainer."""
