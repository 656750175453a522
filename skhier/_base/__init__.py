"""What every estimator shares: image shapes, fitting, devices and batches."""
