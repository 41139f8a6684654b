"""What can be known before a training is paid for; each check is a pure function of its arguments.

They know no command line and print nothing, and the weights that they are shown stay as they are.
"""
