"""What the bus promises, under kill -9, outage, freeze, duplicates, disorder and poison.

Small services of our own (real contracts, own tables) run as separate processes; a checker that shares no
code with the bus judges the raw tables and topics, and is itself judged by planted faults.
"""
