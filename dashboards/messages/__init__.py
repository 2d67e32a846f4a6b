"""The texts about alarms, worded once for the wall, robots' messages, Grafana and the command line.

Reading order: alarm_words (names), sentences (what, where, how much, since when), advice (what to do), notice (what a
message is about), message_text (the text of a robot's message).
"""
