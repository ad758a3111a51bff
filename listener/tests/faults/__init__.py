"""The faults that the delivery must survive, each counting what a publisher got acknowledged against rows.

`python -m tests.faults` (make faults) runs the long matrix; test_faults.py runs a short form of each.
"""
