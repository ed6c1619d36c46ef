"""The compiled arithmetic of the estimator: gradient, matrix, steps."""
