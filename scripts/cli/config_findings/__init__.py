"""What is unsafe or cannot work in a whole set of settings. Pure: settings and facts in, findings out.

Each value by itself is good, or it would not have been read; this is about what several of them mean together, about Steam's
own limits, and about what is wrong around them (`scripts.cli.config_facts` looks). A machine runs a balancer, a host of bots,
or both; only what concerns its part is said.
"""
