"""Speed and memory beside other systems, each in a process of its own: `make bench`.

Every peer runs the same steps, written as its own users would write them. The processes stay open and take
turns, so that all meet the same moods of the machine; what counts are the medians' ratios of one run.
"""
