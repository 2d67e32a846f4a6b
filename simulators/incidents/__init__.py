"""Measures the quality of alarms on incidents whose right alarms are known (`gatepulse alarms evaluate`).

Reading order: traffic (events to make an incident from), labelled (the incidents, and what should be raised), stage
(plays them through the kernels), evaluate (compares what was raised with what should have been).
"""
