"""What is on disk: runs, models, checkpoints; scikit-learn estimators."""
