import os

# Without it scikit-learn's array API check is skipped, not run.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
